"""The emails about friend requests and friends' activities, with their jobs and handlers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import msgspec

from app import jobs
from app.activity_types import ACTIVITY_TYPES
from app.email import Email, EmailSender, Recipient, deliver, one_line
from app.email.formatting import day, distance, duration, truncate
from app.friends import statements
from app.friends.friend import RequestId
from app.friends.statements import News
from app.jobs import Job, Run, handles
from app.jobs.outcomes import Snooze
from app.postgres.database import Transaction
from app.settings import Rate
from app.users.user import UserId


class SendFriendRequestEmail(Job, frozen=True):
    """Email a friend request to its recipient, if they see it and want such emails."""

    kind = "email:friend_request"
    queue = "critical"

    request_id: RequestId

    @property
    def unique_key(self) -> str:
        return str(self.request_id)


class SendFriendActivityEmail(Job, frozen=True):
    """Tell a user by email what their friends have recorded since the previous digest.

    While this job is waiting, no second one is enqueued for new activities: this one reads them
    all.
    """

    kind = "email:friend_activity"
    expires_in = timedelta(days=1)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


NO_RECIPIENT = "the user opted out, deleted their account, or has not confirmed their address"
MIN_INTERVAL = timedelta(hours=1)
"""The time from the start of the attempt that sends a digest until the next digest is due."""
MAX_ENTRIES = 12
"""The most activities that a digest lists. Further ones are only counted."""
MAX_NOTES_CHARACTERS = 160


class FriendRequest(Email, frozen=True):
    """A friend request, with the name and the confirmed address of its sender."""

    template = "friend_request"
    subscription = "friend_requests"
    limit_per_person = Rate(10, timedelta(days=1))

    name: str
    requester: str
    requester_email: str

    @classmethod
    def sample(cls) -> Self:
        return cls(
            name="Grace Hopper",
            requester="Ada Lovelace",
            requester_email="ada@example.com",
        )


class NewsEntry(msgspec.Struct, frozen=True):
    """One activity in a digest."""

    day: str
    name: str
    activity: str
    notes: str


class FriendActivity(Email, frozen=True):
    """What a user's friends have recorded since the previous digest."""

    template = "friend_activity"
    subscription = "friend_activity"

    name: str
    headline: str
    entries: Sequence[NewsEntry]
    more: int
    """The number of further activities, which the email only counts."""

    @classmethod
    def sample(cls) -> Self:
        tuesday, wednesday = "Tuesday, 24 November", "Wednesday, 25 November"
        entries = [
            NewsEntry(tuesday, "Ada Lovelace", "ran 8.2 km in 45 min", "Intervals: 6 x 3 min"),
            NewsEntry(tuesday, "Zoë Ångström", "swam 1.9 km in 41 min", ""),
            NewsEntry(wednesday, "Ada Lovelace", "hiked for 3 h 05 min", "Rain, and still glad ☀️"),
        ]
        headline = "5 new activities from your friends"
        return cls(name="Grace Hopper", headline=headline, entries=entries, more=2)

    @classmethod
    def from_news(cls, name: str, news: Sequence[News], *, more: int) -> Self:
        """Build the digest for a recipient with this name.

        Args:
            more: the number of further activities, which the email only counts.
        """
        entries = [
            NewsEntry(
                day=day(activity.started_at.date()),
                name=one_line(activity.name),
                activity=_describe(activity),
                notes=truncate(one_line(activity.notes or ""), MAX_NOTES_CHARACTERS),
            )
            for activity in sorted(news, key=lambda activity: activity.started_at)
        ]
        return cls(
            name=one_line(name),
            headline=_headline(entries, more),
            entries=entries,
            more=more,
        )


@handles(SendFriendRequestEmail)
async def send_friend_request_email(
    job: SendFriendRequestEmail, run: Run, sender: EmailSender
) -> None:
    """Email a pending request to its recipient, if they have confirmed their address.

    Raises:
        The same exceptions as `deliver`.
    """
    async with run.transaction() as tx:
        request = await statements.request_recipient(tx, request_id=job.request_id)
    if request is None:
        await run.finish_with_note(
            "the request is no longer pending, or its recipient has no confirmed account,"
            " has blocked its sender or has opted out"
        )
        return

    async def write(_: Transaction) -> FriendRequest:
        return FriendRequest(
            name=one_line(request.name),
            requester=one_line(request.requester),
            requester_email=request.requester_email,
        )

    recipient = Recipient(request.id, request.name, request.email)
    await deliver(run, sender, recipient, FriendRequest, write, unique_key=str(job.request_id))


@handles(SendFriendActivityEmail)
async def send_friend_activity_email(
    job: SendFriendActivityEmail, run: Run, sender: EmailSender
) -> None:
    """Send a user the digest, unless there is no news, and enqueue the next one.

    The job for the next digest, due an hour after this attempt started, is committed when this
    email is recorded as sent. So a user gets at most one digest an hour, and the next digest
    contains the activities that came too late for this one.

    Raises:
        The same exceptions as `deliver`.
    """
    user_id = job.user_id
    async with run.transaction() as tx:
        user = await statements.news_recipient(tx, user_id=user_id)
        unreported = await statements.unreported_activities(tx, user_id=user_id)
    if user is None:
        await run.finish_with_note(NO_RECIPIENT)
        return
    if not unreported:
        await end_without_news(run, user_id)
        return

    async def write(tx: Transaction) -> FriendActivity:
        unreported[:] = await statements.unreported_activities(tx, user_id=user_id)
        news = await statements.news(tx, activity_ids=unreported[:MAX_ENTRIES])
        if not news:
            raise Snooze("no new activities are left to report", delay=timedelta(0))
        return FriendActivity.from_news(user.name, news, more=len(unreported[MAX_ENTRIES:]))

    async def enqueue_next(tx: Transaction) -> None:
        await statements.remove_news(tx, user_id=user_id, activity_ids=unreported)
        next_at = run.claimed.started_at + MIN_INTERVAL
        await jobs.enqueue(tx, SendFriendActivityEmail(user_id=user_id), run_at=next_at)

    recipient = Recipient(user.id, user.name, user.email)
    await deliver(
        run,
        sender,
        recipient,
        FriendActivity,
        write,
        unique_key=str(run.job_id),
        on_sent=enqueue_next,
    )


def _describe(activity: News) -> str:
    words, time = ACTIVITY_TYPES[activity.type], duration(activity.duration_s)
    if activity.distance_m and words.covers_distance:
        return f"{words.past_tense} {distance(activity.distance_m)} in {time}"
    return f"{words.past_tense} for {time}"


def _headline(entries: Sequence[NewsEntry], more: int) -> str:
    if more:  # the names of the friends who recorded the others have not been read
        return f"{len(entries) + more} new activities from your friends"
    names = list(dict.fromkeys(truncate(entry.name, 40) for entry in entries))
    match names:
        case [name] if len(entries) == 1:
            return f"{name} {entries[0].activity}"
        case [name]:
            return f"{name} recorded {len(entries)} activities"
        case [first, second]:
            return f"{first} and {second} were active"
        case [first, second, third]:
            return f"{first}, {second} and {third} were active"
        case _:
            return f"{names[0]}, {names[1]} and {len(names) - 2} other friends were active"


MAX_NEWS_AGE = timedelta(days=7)
"""An activity that started longer ago is not news: somebody is entering old activities."""
RECHECK_DELAY = timedelta(seconds=1)
"""The time from the start of an attempt that finds no news until another digest job is due, if news
came while the attempt was ending."""


async def notify_friends(
    tx: Transaction, user_id: UserId, activity_id: UUID, started_at: datetime, *, now: datetime
) -> None:
    """Enqueue a digest for each friend who wants to hear about this new activity.

    The news is added before the jobs are enqueued, and adding it locks the friends' accounts. If a
    friend's job is already waiting, no second one is enqueued, and this transaction relies on that
    job. The lock shows the job that news may be on its way; see `end_without_news`.
    """
    if started_at < now - MAX_NEWS_AGE:
        return
    if friends := await statements.add_news(tx, user_id=user_id, activity_id=activity_id):
        await jobs.enqueue_all(tx, (SendFriendActivityEmail(user_id=friend) for friend in friends))


async def end_without_news(run: Run, user_id: UserId) -> None:
    """End a digest job that found no news, and enqueue another one if there is news after all.

    Once the completion has begun, transactions with new activities wait until this job is done, and
    then enqueue a job of their own. A transaction that relied on this job earlier has either
    committed, so that its news is visible here, or still holds the lock on the user. In both cases
    another job is enqueued to run soon.

    Raises:
        LeaseLost: this attempt has lost its job.
    """
    async with run.completion("no new activities from friends") as tx:
        locked = await statements.lock_news_recipient(tx, user_id=user_id)
        if not locked or await statements.unreported_activities(tx, user_id=user_id):
            soon = run.claimed.started_at + RECHECK_DELAY
            await jobs.enqueue(tx, SendFriendActivityEmail(user_id=user_id), run_at=soon)
