"""The limits on emails: in total (`MAIL_RATE`), and of one type to one person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from shutil import copytree
from time import monotonic
from uuid import uuid4

import pytest

from app import jobs
from app.email import EmailConfig, EmailSender, Recipient, deliver
from app.embedded.inbox import Inbox
from app.errors import Unavailable
from app.jinja import FOLDER
from app.jobs import JobId, Run
from app.jobs.outcomes import Retry, Snooze
from app.postgres.database import Database, Transaction
from app.redis import Redis
from app.resources import Resources
from app.settings import Rate
from app.users.emails import SendWelcomeEmail, Welcome, send_welcome_email
from app.users.user import UserId
from tests.email.reading import email_config
from tests.email.scripted import scripted_server, smtp_pool_to
from tests.email.sending import attempt, register_user, send_limit, sender_with, since
from tests.email.test_send_limit import HOUR, NOW, SECOND, counted_emails, reserve, spans_of_five
from tests.support.working import eventually, running_worker


async def test_email_beyond_the_rate_snoozes_its_job_and_is_not_recorded(
    database: Database, redis: Redis
) -> None:
    user_id, job_id = await register_user(database)
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        limited = sender_with(pool, Rate(1, HOUR), redis=redis)
        began = monotonic()
        assert [NOW] == await reserve(limited.send_limit, 1)
        with pytest.raises(Snooze) as snoozed:
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), limited
            )
    assert HOUR - since(began) <= snoozed.value.delay <= HOUR
    assert server.connections == 0
    assert 0 == await database.fetchval("select count(*) from emails")


@pytest.mark.parametrize(
    "cause",
    [
        "insert into suppressions values ('ada@example.com', 'no mailbox')",
        "update emails set sending_until = null, state = 'sent', sent_at = now()",
        "update emails set sending_until = now() + interval '1 hour'",
        "insert into unconfirmed_emails select 'ada@example.com', unnest('{1,2,3,4}'::text[])",
    ],
    ids=["suppressed", "sent", "being sent", "address at its limit"],
)
async def test_email_that_must_not_be_sent_does_not_count_against_the_rate(
    database: Database, redis: Redis, cause: str
) -> None:
    user_id, job_id = await register_user(database)
    async with scripted_server({"RCPT": "451 not now"}) as server, smtp_pool_to(server) as pool:
        limited = sender_with(pool, Rate(10, HOUR), redis=redis)
        with pytest.raises(Retry):
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), limited
            )
        assert 1 == await counted_emails(redis)
        await database.execute(cause)
        server.replies.clear()
        with suppress(Snooze):
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), limited
            )
    assert [] == server.accepted
    assert 1 == await counted_emails(redis)


async def test_email_whose_suppression_ends_after_the_rate_check_is_counted_at_its_next_attempt(
    database: Database, redis: Redis
) -> None:
    """The email is not sent immediately, because it was not counted."""
    user_id, job_id = await register_user(database)

    class SuppressionLifted(Run):
        transactions = 0

        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[Transaction]:
            self.transactions += 1
            if self.transactions == 3:  # the claim; the first two read the account and the ledger
                await database.execute("delete from suppressions")
            async with super().transaction() as tx:
                yield tx

    await database.execute("insert into suppressions values ('ada@example.com', 'no mailbox')")
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        limited = sender_with(pool, Rate(10, HOUR), redis=redis)
        with pytest.raises(Snooze) as snoozed:
            await send_welcome_email(
                SendWelcomeEmail(user_id),
                await attempt(database, job_id, SuppressionLifted),
                limited,
            )
        assert NOW == snoozed.value.delay
        assert 0 == await database.fetchval("select count(*) from emails")
        await send_welcome_email(
            SendWelcomeEmail(user_id), await attempt(database, job_id), limited
        )
    assert 1 == len(server.accepted)
    assert 1 == await counted_emails(redis)


async def test_many_emails_are_sent_no_faster_than_the_rate_and_without_failures(
    database: Database, resources: Resources, redis: Redis, inbox: Inbox
) -> None:
    limits = [Rate(5, SECOND / 2), Rate(1000, HOUR)]  # the longer limit keeps all emails in the log
    limited = replace(resources.sender, send_limit=send_limit(redis, *limits))
    for number in range(20):
        await register_user(database, f"{number}@example.com")

    async def sent() -> int:
        return int(await database.fetchval("select count(*) from jobs where state = 'done'"))

    async with running_worker(replace(resources, sender=limited)):
        await eventually(sent, 20)
    assert 20 == len(inbox.emails())
    spans = await spans_of_five(redis)
    assert (15, True) == (len(spans), min(spans) >= SECOND / 2)
    assert 0 == await database.fetchval("select sum(failures) from jobs")


class Nudge(Welcome, frozen=True):
    """A test email with a limit of two an hour per person."""

    template = "nudge"
    registered = False
    limit_per_person = Rate(2, timedelta(hours=1))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> EmailConfig:
    """A config with templates for `Nudge`."""
    folder = tmp_path_factory.mktemp("templates")
    copytree(FOLDER / "email" / "welcome", folder / "email" / "nudge")
    copytree(FOLDER, folder, dirs_exist_ok=True)
    return email_config(folder)


async def write_nudge(_: Transaction) -> Nudge:
    return Nudge(name="Ada", confirm_url="https://activelog.example", days=1)


async def nudge(
    run: Run,
    sender: EmailSender,
    user_id: UserId,
    unique_key: str,
    write: Callable[[Transaction], Awaitable[Nudge]] = write_nudge,
) -> None:
    recipient = Recipient(user_id, "Ada", "ada@example.com")
    await deliver(run, sender, recipient, Nudge, write, unique_key=unique_key)


async def test_email_beyond_the_limit_per_person_does_not_count_against_the_rate(
    database: Database, config: EmailConfig, redis: Redis
) -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:

        async def send(user_id: UserId, job_id: JobId, unique_key: str) -> None:
            sender = EmailSender(config, pool, send_limit(redis, Rate(9, HOUR)))
            await nudge(await attempt(database, job_id), sender, user_id, unique_key)

        ada, bob = await register_user(database), await register_user(database, "bob@example.com")
        began = monotonic()
        await send(*ada, "first")
        await send(*ada, "second")
        with pytest.raises(Snooze) as snoozed:
            await send(*ada, "third")
        assert HOUR - since(began) <= snoozed.value.delay <= HOUR
        await send(*ada, "second")
        await send(*bob, "first")
        await database.execute("update emails set written_at = written_at - interval '1 hour'")
        await send(*ada, "third")
    assert len(server.accepted) == 4
    assert 4 == await counted_emails(redis)
    assert 4 == await database.fetchval("select count(*) from emails where state = 'sent'")


AT_THE_LOCK = """
select pg_backend_pid() as pid
union select pid from pg_locks
where
    locktype = 'advisory'
    and database = (select oid from pg_database where datname = current_database())
"""
"""The connections that hold or await an advisory lock, and the current connection."""


async def test_limit_per_person_holds_for_concurrent_emails(
    database: Database, config: EmailConfig
) -> None:
    """No email is written before all attempts have started, each on its own connection."""
    user_id, _ = await register_user(database)
    async with database.transaction() as tx:
        job_ids = [
            await jobs.enqueue(tx, SendWelcomeEmail(user_id=UserId(uuid4()))) for _ in range(6)
        ]
    started: set[int] = set()

    async def write(tx: Transaction) -> Nudge:
        while len(started) < len(job_ids):
            started.update(row["pid"] for row in await tx.fetch(AT_THE_LOCK))
            await asyncio.sleep(0.01)
        return await write_nudge(tx)

    async def outcome(job_id: JobId, sender: EmailSender) -> str:
        while True:
            run = await attempt(database, job_id)
            try:
                await nudge(run, sender, user_id, str(job_id), write)
            except Snooze:
                return "snoozed"
            except Unavailable:  # on a busy machine, other attempts may hold the lock too long
                continue
            return "sent"

    async with scripted_server() as server, smtp_pool_to(server) as pool:
        sender = EmailSender(config, pool, send_limit(Redis()))
        outcomes = await asyncio.gather(
            *(outcome(job_id, sender) for job_id in job_ids if job_id is not None)
        )
    assert 2 == len(server.accepted)
    assert ["sent"] * 2 + ["snoozed"] * 4 == sorted(outcomes)
