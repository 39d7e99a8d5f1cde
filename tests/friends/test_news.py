"""No news is lost, whenever its transaction commits. The tests control the order of the commits."""

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
from app.friends.emails import SendFriendActivityEmail, send_friend_activity_email
from app.jobs import JobId, Run
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database, Transaction
from app.resources import Resources
from tests.email.sending import attempt
from tests.friends.test_emails import befriend
from tests.support.locks import wait_for_blocked_transaction
from tests.support.people import Person, person
from tests.support.working import run_jobs

Callback = Callable[[], Awaitable[None]]


async def do_nothing() -> None:
    """Do nothing."""


@pytest.fixture
async def ada(database: Database) -> Person:
    return await person(database, "ada")


@pytest.fixture
async def sam(database: Database, ada: Person) -> Person:
    sam = await person(database, "sam")
    await befriend(database, ada.id, sam.id)
    return sam


@pytest.fixture
def sender(resources: Resources, inbox: Inbox) -> EmailSender:
    return resources.sender


async def record_run(tx: Transaction, user: Person, notes: str) -> None:
    now = datetime.now(UTC)
    await record(tx, user.id, Entry("run", now, 2700, 8200.0, None, notes), now=now)


async def enqueue_without_news(database: Database, user: Person) -> JobId:
    """Enqueue a digest job without news, like the one that is enqueued after each digest."""
    async with database.transaction() as tx:
        job_id = await jobs.enqueue(tx, SendFriendActivityEmail(user_id=user.id))
    assert job_id is not None
    return job_id


async def waiting_digest(database: Database) -> JobId | None:
    """Return the only waiting digest job, if there is one."""
    found = await database.fetch("select id from jobs where state = 'queued'")
    assert len(found) <= 1
    return JobId(found[0]["id"]) if found else None


async def run_digests(
    database: Database, sender: EmailSender, user: Person, *, limit: int = 3
) -> None:
    """Run waiting digest jobs, due or not, until none is left or `limit` have run."""
    for _ in range(limit):
        if (job_id := await waiting_digest(database)) is not None:
            await send_friend_activity_email(
                SendFriendActivityEmail(user.id), await attempt(database, job_id), sender
            )


def notes_in(inbox: Inbox) -> list[str]:
    """Return the notes in the emails, oldest email first."""
    texts = [str(email.text) for email in reversed(inbox.emails())]
    return [line.strip(' "') for text in texts for line in text.splitlines() if '"' in line]


class RunWithCallbacks(Run):
    """An attempt that calls one function before its completion and another one inside it."""

    def __init__(
        self,
        database: Database,
        claimed: ClaimedJob,
        *,
        before: Callback = do_nothing,
        inside: Callback = do_nothing,
    ) -> None:
        """Call `before` before the completion, and `inside` within it, once the job is `done`."""
        super().__init__(database, claimed)
        self.before, self.inside = before, inside

    @asynccontextmanager
    async def completion(self, note: str | None = None) -> AsyncIterator[Transaction]:
        await self.before()
        async with super().completion(note) as tx:
            await self.inside()
            yield tx


async def test_news_after_a_day_without_a_mail_server_is_sent(
    database: Database, resources: Resources, ada: Person, sam: Person, inbox: Inbox
) -> None:
    async with database.transaction() as tx:
        await record_run(tx, ada, "first")
    await database.execute(
        "update jobs set run_at = run_at - interval '25 hours',"
        " expires_at = expires_at - interval '25 hours'"
    )
    async with database.transaction() as tx:
        await record_run(tx, ada, "second")
    await run_jobs(resources, may_fail=True)
    assert ["first", "second"] == sorted(notes_in(inbox))


async def test_news_committed_after_a_digest_is_in_the_next_digest(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    async with database.transaction() as tx:
        await record_run(tx, ada, "first")
    async with database.transaction() as late:
        await record_run(late, ada, "late")
        await run_digests(database, sender, sam, limit=1)
        assert ["first"] == notes_in(inbox)
    await run_digests(database, sender, sam)
    assert ["first", "late"] == notes_in(inbox)
    assert await waiting_digest(database) is None


async def test_news_committed_while_a_digest_is_being_sent_is_in_the_next_digest(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    async with database.transaction() as tx:
        await record_run(tx, ada, "first")

    async def commit() -> None:
        async with database.transaction() as tx:
            await record_run(tx, ada, "late")

    job_id = await waiting_digest(database)
    assert job_id is not None
    run = await attempt(database, job_id)
    await send_friend_activity_email(
        SendFriendActivityEmail(sam.id),
        RunWithCallbacks(database, run.claimed, before=commit),
        sender,
    )
    assert ["first"] == notes_in(inbox)
    await run_digests(database, sender, sam)
    assert ["first", "late"] == notes_in(inbox)


async def test_news_committed_after_a_digest_that_found_none_is_in_a_later_digest(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    run = await attempt(database, await enqueue_without_news(database, sam))
    async with database.transaction() as late:
        await record_run(late, ada, "late")
        await send_friend_activity_email(SendFriendActivityEmail(sam.id), run, sender)
        assert run.finished
        await run_digests(database, sender, sam, limit=2)
        assert [] == notes_in(inbox)
    await run_digests(database, sender, sam)
    assert ["late"] == notes_in(inbox)


async def test_news_committed_just_before_the_end_of_a_digest_without_news_is_emailed(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    async def commit() -> None:
        async with database.transaction() as tx:
            await record_run(tx, ada, "late")

    run = await attempt(database, await enqueue_without_news(database, sam))
    await send_friend_activity_email(
        SendFriendActivityEmail(sam.id),
        RunWithCallbacks(database, run.claimed, before=commit),
        sender,
    )
    await run_digests(database, sender, sam)
    assert ["late"] == notes_in(inbox)


async def test_news_waits_for_a_digest_that_is_just_ending_and_is_in_the_next_one(
    database: Database, ada: Person, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    async with database.transaction() as late:
        recording: asyncio.Task[None] | None = None

        async def begin() -> None:
            nonlocal recording
            recording = asyncio.create_task(record_run(late, ada, "late"))
            await wait_for_blocked_transaction(database)

        run = await attempt(database, await enqueue_without_news(database, sam))
        await send_friend_activity_email(
            SendFriendActivityEmail(sam.id),
            RunWithCallbacks(database, run.claimed, inside=begin),
            sender,
        )
        assert recording is not None
        await recording
    await run_digests(database, sender, sam)
    assert ["late"] == notes_in(inbox)


async def test_no_further_digest_is_enqueued_without_news(
    database: Database, sam: Person, sender: EmailSender, inbox: Inbox
) -> None:
    run = await attempt(database, await enqueue_without_news(database, sam))
    await send_friend_activity_email(SendFriendActivityEmail(sam.id), run, sender)
    assert run.finished
    assert await waiting_digest(database) is None
    assert [] == notes_in(inbox)
