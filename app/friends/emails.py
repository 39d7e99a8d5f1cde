"""The emails that friends cause: who is written to, and what is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import msgspec

from app import jobs
from app.activity_types import ACTIVITY_TYPES
from app.email import AtMost, Email, EmailSender, Recipient, deliver, one_line
from app.email.formatting import cut, day, distance, duration
from app.friends import statements
from app.friends.friend import RequestId
from app.friends.statements import News
from app.jobs import Job, Run, handles
from app.jobs.outcomes import Snooze
from app.postgres.database import Transaction
from app.settings import Rate
from app.users.user import UserId


class FriendRequestEmail(Job, frozen=True):
    """Tells whoever has the address, if anybody, that somebody asks to be a friend."""

    kind = "email:friend_request"
    queue = "critical"

    request_id: RequestId

    @property
    def unique_key(self) -> str:
        return str(self.request_id)


class FriendActivityEmail(Job, frozen=True):
    """Email a user what friends have recorded since the last such email.

    While one waits, activities need no other: it reads all of them.
    """

    kind = "email:friend_activity"
    expires_in = timedelta(days=1)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


NOT_A_READER = "the user opted out, deleted the account, or has not confirmed the address"
MIN_INTERVAL = timedelta(hours=1)
"""From one email on friends' activities to the next."""
MAX_ENTRIES = 12
MAX_NOTES_CHARACTERS = 160


class FriendRequest(Email, frozen=True):
    """Says who asks to be a friend."""

    template = "friend_request"
    at_most = Rate(10, timedelta(days=1))

    name: str
    requester: str

    @classmethod
    def sample(cls) -> Self:
        return cls(name="Grace Hopper", requester="Ada Lovelace")


class NewsEntry(msgspec.Struct, frozen=True):
    """One activity, in words."""

    day: str
    name: str
    activity: str
    notes: str


class FriendActivity(Email, frozen=True):
    """Tells what friends have recorded since the last email."""

    template = "friend_activity"
    subscription = "friend_activity"

    name: str
    headline: str
    entries: Sequence[NewsEntry]
    more: int
    """Activities beside the entries."""

    @classmethod
    def sample(cls) -> Self:
        tuesday, wednesday = "Tuesday, 24 November", "Wednesday, 25 November"
        entries = [
            NewsEntry(tuesday, "Ada Lovelace", "ran 8.2 km in 45 min", "Intervals: 6 x 3 min"),
            NewsEntry(tuesday, "Zoë Ångström", "swam 1.9 km in 41 min", ""),
            NewsEntry(wednesday, "Ada Lovelace", "hiked for 3 h 05 min", "Rain, and still glad ☀️"),
        ]
        headline = "Ada Lovelace and Zoë Ångström were active"
        return cls(name="Grace Hopper", headline=headline, entries=entries, more=2)

    @classmethod
    def about(cls, name: str, news: Sequence[News], *, more: int) -> Self:
        """Build the email to a person of this name.

        Args:
            more: the number of further activities, which the email only counts.
        """
        entries = [
            NewsEntry(
                day=day(activity.started_at.date()),
                name=one_line(activity.name),
                activity=_in_words(activity),
                notes=cut(one_line(activity.notes or ""), MAX_NOTES_CHARACTERS),
            )
            for activity in sorted(news, key=lambda activity: activity.started_at)
        ]
        return cls(
            name=one_line(name),
            headline=_headline(entries, len(entries) + more),
            entries=entries,
            more=more,
        )


@handles(FriendRequestEmail)
async def friend_request(job: FriendRequestEmail, run: Run, sender: EmailSender) -> None:
    """Tell the owner of the address, who must have confirmed it, while the request waits.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        asked = await statements.request_recipient(tx, request_id=job.request_id)
    if asked is None:
        await run.finish_with_note(
            "the request was answered or withdrawn, or nobody has confirmed its address"
        )
        return

    async def write(_: Transaction) -> FriendRequest:
        return FriendRequest(name=one_line(asked.name), requester=one_line(asked.requester))

    recipient = Recipient(asked.id, asked.name, asked.email)
    await deliver(run, sender, recipient, FriendRequest, write, unique_key=str(job.request_id))


@handles(FriendActivityEmail)
async def friend_activity(job: FriendActivityEmail, run: Run, sender: EmailSender) -> None:
    """Tell a person what friends have recorded, if there is any of it, and look again in an hour.

    The next look is committed with the email, so that there are never two in an hour, and what
    this email does not tell is told by the next.

    Raises:
        whatever `deliver` raises.
    """
    user_id = job.user_id
    async with run.transaction() as tx:
        reader = await statements.news_reader(tx, user_id=user_id)
        unread = await statements.unread_activities(tx, user_id=user_id)
    if reader is None:
        await run.finish_with_note(NOT_A_READER)
        return
    if not unread:
        await end_without_news(run, user_id)
        return

    async def write(tx: Transaction) -> FriendActivity:
        unread[:] = await statements.unread_activities(tx, user_id=user_id)
        news = await statements.news(tx, activity_ids=unread[:MAX_ENTRIES])
        if not news:
            raise Snooze("the new activities were deleted", delay=timedelta(0))
        return FriendActivity.about(reader.name, news, more=len(unread[MAX_ENTRIES:]))

    async def schedule_next(tx: Transaction) -> None:
        await statements.remove_news(tx, user_id=user_id, activity_ids=unread)
        in_an_hour = run.claimed.started_at + MIN_INTERVAL
        await jobs.enqueue(tx, FriendActivityEmail(user_id=user_id), run_at=in_an_hour)

    recipient = Recipient(reader.id, reader.name, reader.email)
    await deliver(
        run,
        sender,
        recipient,
        FriendActivity,
        write,
        unique_key=str(run.job_id),
        then=schedule_next,
    )


def _in_words(activity: News) -> str:
    words, time = ACTIVITY_TYPES[activity.type], duration(activity.duration_s)
    if activity.distance_m and words.covers_distance:
        return f"{words.past_tense} {distance(activity.distance_m)} in {time}"
    return f"{words.past_tense} for {time}"


def _headline(entries: Sequence[NewsEntry], total: int) -> str:
    names = list(dict.fromkeys(cut(entry.name, 40) for entry in entries))
    match names:
        case [name] if total == 1:
            return f"{name} {entries[0].activity}"
        case [name]:
            return f"{name} recorded {total} activities"
        case [first, second]:
            return f"{first} and {second} were active"
        case _:
            return f"{names[0]}, {names[1]} and other friends were active"


MAX_NEWS_AGE = timedelta(days=7)
"""What began longer ago is no news: somebody is entering the past."""
RECHECK_DELAY = timedelta(seconds=1)
"""Until the next look at news that are being written."""


async def notify_friends(
    tx: Transaction, user_id: UserId, activity_id: UUID, started_at: datetime, *, now: datetime
) -> None:
    """Have the friends told of a new activity who want to be, each at most once an hour.

    The news are added before the looks, so that whoever leans on a look holds its reader.
    """
    if started_at < now - MAX_NEWS_AGE:
        return
    if friends := await statements.add_news(tx, user_id=user_id, activity_id=activity_id):
        await jobs.enqueue_all(tx, (FriendActivityEmail(user_id=friend) for friend in friends))


async def end_without_news(run: Run, user_id: UserId) -> None:
    """End a look that found nothing, and take another if there is something after all.

    From the first statement of the completion on, whoever announces anything waits until this look
    is over, and then enqueues one. Whoever leaned on it before that either still holds the reader,
    and is looked for soon; or has committed, and is seen here.

    Raises:
        LeaseLost: the job is another worker's now.
    """
    async with run.completion("friends have no new activities") as tx:
        all_written = await statements.lock_reader(tx, user_id=user_id)
        if not all_written or await statements.unread_activities(tx, user_id=user_id):
            soon = run.claimed.started_at + RECHECK_DELAY
            await jobs.enqueue(tx, FriendActivityEmail(user_id=user_id), run_at=soon)
