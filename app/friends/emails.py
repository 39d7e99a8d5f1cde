"""The letters that friends cause: who is written to, and what is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Self

import msgspec

from app import jobs
from app.email import AtMost, Letter, Post, Recipient, deliver, one_line
from app.email.formatting import cut, day, distance, duration
from app.friends import statements
from app.friends.friend import RequestId
from app.friends.jobs import FriendActivityEmail
from app.friends.news import end_look
from app.friends.statements import News
from app.jobs import Run
from app.jobs.outcomes import Snooze
from app.postgres.database import Transaction
from app.users.user import UserId

NOT_A_READER = "the person has opted out, has left, or has not confirmed the address"
BETWEEN = timedelta(hours=1)
"""From one letter on friends' activities to the next."""
MOST_NEWS = 12
LONGEST_NOTES = 160

DID = {
    "run": "ran", "ride": "rode", "swim": "swam", "walk": "walked", "hike": "hiked",
    "other": "was active",
}  # fmt: skip


class FriendRequest(Letter, frozen=True):
    """Says who asks to be a friend."""

    letter = "friend_request"
    at_most = AtMost(10, timedelta(days=1))

    name: str
    requester: str

    @classmethod
    def sample(cls) -> Self:
        return cls(name="Grace Hopper", requester="Ada Lovelace")


class Entry(msgspec.Struct, frozen=True):
    """One activity, in words."""

    day: str
    name: str
    what: str
    notes: str


class FriendActivity(Letter, frozen=True):
    """Tells what friends have recorded since the last letter."""

    letter = "friend_activity"
    subscription = "friend_activity"

    name: str
    headline: str
    entries: Sequence[Entry]
    more: int
    """Activities beside the entries."""

    @classmethod
    def sample(cls) -> Self:
        tuesday, wednesday = "Tuesday, 24 November", "Wednesday, 25 November"
        entries = [
            Entry(tuesday, "Ada Lovelace", "ran 8.2 km in 45 min", "Intervals: 6 x 3 min"),
            Entry(tuesday, "Zoë Ångström", "swam 1.9 km in 41 min", ""),
            Entry(wednesday, "Ada Lovelace", "hiked for 3 h 05 min", "Rain, and still glad ☀️"),
        ]
        headline = "Ada Lovelace and Zoë Ångström were active"
        return cls(name="Grace Hopper", headline=headline, entries=entries, more=2)


async def friend_request(run: Run, post: Post, request_id: RequestId) -> None:
    """Tell the owner of the address, who must have confirmed it, while the request waits.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        asked = await statements.asked_person(tx, request_id)
    if asked is None:
        await run.had_nothing_to_do(
            "the request is answered or withdrawn, or nobody has confirmed its address"
        )
        return

    async def write(_: Transaction) -> FriendRequest:
        return FriendRequest(name=one_line(asked.name), requester=one_line(asked.requester))

    recipient = Recipient(asked.id, asked.name, asked.email)
    await deliver(run, post, recipient, FriendRequest, write, unique_key=str(request_id))


async def friend_activity(run: Run, post: Post, user_id: UserId) -> None:
    """Tell a person what friends have recorded, if there is any of it, and look again in an hour.

    The next look is committed with the letter, so that there are never two in an hour, and what
    this letter does not tell is told by the next.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        reader = await statements.news_reader(tx, user_id)
        unread = await statements.unread(tx, user_id)
    if reader is None:
        await run.had_nothing_to_do(NOT_A_READER)
        return
    if not unread:
        await end_look(run, user_id)
        return

    async def write(tx: Transaction) -> FriendActivity:
        unread[:] = await statements.unread(tx, user_id)
        news = await statements.news(tx, unread[:MOST_NEWS])
        if not news:
            raise Snooze("what was news is deleted", delay=timedelta(0))
        return told(reader.name, news, more=len(unread[MOST_NEWS:]))

    async def look_again(tx: Transaction) -> None:
        await statements.forget_news(tx, user_id, unread)
        in_an_hour = run.claimed.started_at + BETWEEN
        await jobs.enqueue(tx, FriendActivityEmail(user_id=user_id), run_at=in_an_hour)

    recipient = Recipient(reader.id, reader.name, reader.email)
    await deliver(
        run, post, recipient, FriendActivity, write, unique_key=str(run.job_id), then=look_again
    )


def told(name: str, news: Sequence[News], *, more: int) -> FriendActivity:
    """The letter to a person of this name on some news, and on so many more that it only counts."""
    entries = [
        Entry(
            day=day(one.started_at.date()),
            name=one_line(one.name),
            what=_what(one),
            notes=cut(one_line(one.notes or ""), LONGEST_NOTES),
        )
        for one in sorted(news, key=lambda one: one.started_at)
    ]
    return FriendActivity(
        name=one_line(name),
        headline=_headline(entries, len(entries) + more),
        entries=entries,
        more=more,
    )


def _what(one: News) -> str:
    did, took = DID[one.type], duration(one.duration_s)
    if one.distance_m and one.type != "other":
        return f"{did} {distance(one.distance_m)} in {took}"
    return f"{did} for {took}"


def _headline(entries: Sequence[Entry], total: int) -> str:
    names = list(dict.fromkeys(cut(entry.name, 40) for entry in entries))
    match names:
        case [name] if total == 1:
            return f"{name} {entries[0].what}"
        case [name]:
            return f"{name} recorded {total} activities"
        case [one, other]:
            return f"{one} and {other} were active"
        case _:
            return f"{names[0]}, {names[1]} and other friends were active"
