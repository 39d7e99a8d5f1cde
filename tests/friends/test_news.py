"""No news is lost, whenever its transaction commits: here they are held open by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from app import jobs
from app.activities.activities import record
from app.activities.activity import Entry
from app.email import EmailSender
from app.embedded.inbox import Inbox
from app.friends.emails import FriendActivityEmail, friend_activity
from app.jobs import JobId, Run
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database, Transaction
from app.resources import Resources
from tests.email.sending import attempt
from tests.friends.test_emails import befriend, confirmed
from tests.support.locks import somebody_waits
from tests.support.people import Person

Step = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """No step."""


@pytest.fixture
async def ada(database: Database) -> Person:
    return await confirmed(database, "ada")


@pytest.fixture
async def sam(database: Database, ada: Person) -> Person:
    sam = await confirmed(database, "sam")
    await befriend(database, ada.id, sam.id)
    return sam


@pytest.fixture
def sender(resources: Resources, inbox: Inbox) -> EmailSender:
    return resources.sender


async def run_of(tx: Transaction, who: Person, notes: str) -> None:
    now = datetime.now(UTC)
    await record(tx, who.id, Entry("run", now, 2700, 8200.0, None, notes), now=now)


async def look_at_nothing(database: Database, who: Person) -> JobId:
    """A look that has nothing to find, as the one that follows each email."""
    async with database.transaction() as tx:
        look = await jobs.enqueue(tx, FriendActivityEmail(user_id=who.id))
    assert look is not None
    return look


async def waiting_look(database: Database) -> JobId | None:
    """The one look that waits, if any does."""
    found = await database.fetch("select id from jobs where state = 'queued'")
    assert len(found) <= 1
    return JobId(found[0]["id"]) if found else None


async def take_looks(
    database: Database, sender: EmailSender, who: Person, *, most: int = 3
) -> None:
    """Take the looks that wait, due or not, until none does or so many were taken."""
    for _ in range(most):
        if (look := await waiting_look(database)) is not None:
            await friend_activity(
                FriendActivityEmail(who.id), await attempt(database, look), sender
            )


def told(inbox: Inbox) -> list[str]:
    """The notes in the emails, oldest email first."""
    texts = [str(email.text) for email in reversed(inbox.emails())]
    return [line.strip(' "') for text in texts for line in text.splitlines() if '"' in line]


class Paced(Run):
    """A look that comes to its end step by step."""

    def __init__(
        self,
        database: Database,
        claimed: ClaimedJob,
        *,
        before: Step = nothing,
        within: Step = nothing,
    ) -> None:
        """`before` is its last transaction, `within` is after that has ended the look."""
        super().__init__(database, claimed)
        self.before, self.within = before, within

    @asynccontextmanager
    async def completion(self, note: str | None = None) -> AsyncIterator[Transaction]:
        await self.before()
        async with super().completion(note) as tx:
            await self.within()
            yield tx


async def test_what_commits_after_a_letter_was_written_is_told_by_the_next(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    async with database.transaction() as tx:
        await run_of(tx, ada, "first")
    async with database.transaction() as late:
        await run_of(late, ada, "late")
        await take_looks(database, sender, sam, most=1)
        assert ["first"] == told(inbox)
    await take_looks(database, sender, sam)
    assert ["first", "late"] == told(inbox)
    assert await waiting_look(database) is None


async def test_what_commits_while_a_letter_is_on_its_way_is_told_by_the_next(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    async with database.transaction() as tx:
        await run_of(tx, ada, "first")

    async def commit() -> None:
        async with database.transaction() as tx:
            await run_of(tx, ada, "late")

    look = await waiting_look(database)
    assert look is not None
    run = await attempt(database, look)
    await friend_activity(
        FriendActivityEmail(sam.id), Paced(database, run.claimed, before=commit), sender
    )
    assert ["first"] == told(inbox)
    await take_looks(database, sender, sam)
    assert ["first", "late"] == told(inbox)


async def test_what_commits_after_a_look_found_nothing_is_told_by_another(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    run = await attempt(database, await look_at_nothing(database, sam))
    async with database.transaction() as late:
        await run_of(late, ada, "late")
        await friend_activity(FriendActivityEmail(sam.id), run, sender)
        assert run.finished
        await take_looks(database, sender, sam, most=2)
        assert [] == told(inbox)
    await take_looks(database, sender, sam)
    assert ["late"] == told(inbox)


async def test_what_commits_while_a_look_that_found_nothing_ends_is_told(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    async def commit() -> None:
        async with database.transaction() as tx:
            await run_of(tx, ada, "late")

    run = await attempt(database, await look_at_nothing(database, sam))
    await friend_activity(
        FriendActivityEmail(sam.id), Paced(database, run.claimed, before=commit), sender
    )
    await take_looks(database, sender, sam)
    assert ["late"] == told(inbox)


async def test_what_is_announced_while_a_look_is_being_ended_waits_and_has_one_of_its_own(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    async with database.transaction() as late:
        announcing: asyncio.Task[None] | None = None

        async def begin() -> None:
            nonlocal announcing
            announcing = asyncio.create_task(run_of(late, ada, "late"))
            await somebody_waits(database)

        run = await attempt(database, await look_at_nothing(database, sam))
        await friend_activity(
            FriendActivityEmail(sam.id), Paced(database, run.claimed, within=begin), sender
        )
        assert announcing is not None
        await announcing
    await take_looks(database, sender, sam)
    assert ["late"] == told(inbox)


async def test_a_look_that_nothing_leans_on_is_the_last(
    database: Database, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    run = await attempt(database, await look_at_nothing(database, sam))
    await friend_activity(FriendActivityEmail(sam.id), run, sender)
    assert run.finished
    assert await waiting_look(database) is None
    assert [] == told(inbox)
