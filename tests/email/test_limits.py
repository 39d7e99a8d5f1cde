"""How many emails go out: all together, and to one person."""

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
from app.email import EmailConfig, EmailSender, Recipient, SendLimit, deliver
from app.embedded.inbox import Inbox
from app.errors import Unavailable
from app.jinja import FOLDER
from app.jobs import JobId, Run
from app.jobs.outcomes import Retry, Snooze
from app.postgres.database import Database, Transaction
from app.redis import Redis
from app.resources import Resources
from app.settings import Rate
from app.users.emails import Welcome, WelcomeEmail, welcome
from app.users.user import UserId
from tests.email.reading import email_config
from tests.email.scripted import scripted_server, smtp_pool_to
from tests.email.sending import PATIENCE, attempt, registered, sender_over, since
from tests.email.test_send_limit import HOUR, NOW, PLACES, SECOND, spans_of_five, waits
from tests.support.working import eventually, working


async def test_a_letter_beyond_the_rate_is_snoozed_and_nothing_is_recorded(
    database: Database, redis: Redis
) -> None:
    user_id, job_id = await registered(database)
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        paced = sender_over(pool, Rate(1, HOUR), redis=redis)
        began = monotonic()
        assert [NOW] == await waits(paced.send_limit, 1)
        with pytest.raises(Snooze) as snoozed:
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), paced)
    assert HOUR - since(began) <= snoozed.value.delay <= HOUR
    assert server.connections == 0
    assert 0 == await database.fetchval("select count(*) from emails")


@pytest.mark.parametrize(
    "kept_back",
    [
        "insert into suppressions values ('ada@example.com', 'no mailbox')",
        "update emails set sending_until = null, state = 'sent', sent_at = now()",
        "update emails set sending_until = now() + interval '1 hour'",
    ],
    ids=["suppressed", "sent", "being sent"],
)
async def test_a_letter_that_does_not_go_out_takes_no_place_of_another(
    database: Database, redis: Redis, kept_back: str
) -> None:
    user_id, job_id = await registered(database)
    async with scripted_server({"RCPT": "451 not now"}) as server, smtp_pool_to(server) as pool:
        paced = sender_over(pool, Rate(10, HOUR), redis=redis)
        with pytest.raises(Retry):
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), paced)
        assert 1 == await redis.zcard(PLACES)
        await database.execute(kept_back)
        server.replies.clear()
        with suppress(Snooze):
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), paced)
    assert [] == server.accepted
    assert 1 == await redis.zcard(PLACES)


async def test_a_letter_that_could_go_only_after_it_was_asked_goes_at_its_next_turn(
    database: Database, redis: Redis
) -> None:
    """Not at once: it took no place."""
    user_id, job_id = await registered(database)

    class Lifted(Run):
        turns = 0

        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[Transaction]:
            self.turns += 1
            if self.turns == 3:  # of the claim; before it, the reading of the account and the look
                await database.execute("delete from suppressions")
            async with super().transaction() as tx:
                yield tx

    await database.execute("insert into suppressions values ('ada@example.com', 'no mailbox')")
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        paced = sender_over(pool, Rate(10, HOUR), redis=redis)
        with pytest.raises(Snooze) as snoozed:
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id, Lifted), paced)
        assert NOW == snoozed.value.delay
        assert 0 == await database.fetchval("select count(*) from emails")
        await welcome(WelcomeEmail(user_id), await attempt(database, job_id), paced)
    assert 1 == len(server.accepted)
    assert 1 == await redis.zcard(PLACES)


async def test_a_crowd_of_letters_goes_out_at_the_pace_and_nothing_counts_as_failed(
    database: Database, resources: Resources, redis: Redis, inbox: Inbox
) -> None:
    limits = [Rate(5, SECOND / 2), Rate(1000, HOUR)]  # the longer one keeps every place in Redis
    paced = replace(resources.sender, send_limit=SendLimit(redis, limits, patience=PATIENCE))
    for number in range(20):
        await registered(database, f"{number}@example.com")

    async def sent() -> int:
        return int(await database.fetchval("select count(*) from jobs where state = 'done'"))

    async with working(replace(resources, sender=paced)):
        await eventually(sent, 20)
    assert 20 == len(inbox.emails())
    spans = await spans_of_five(redis)
    assert (15, True) == (len(spans), min(spans) >= SECOND / 2)
    assert 0 == await database.fetchval("select sum(failures) from jobs")


class Nudge(Welcome, frozen=True):
    """An email of the tests, of which a person gets two in an hour."""

    template = "nudge"
    registered = False
    at_most = Rate(2, timedelta(hours=1))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> EmailConfig:
    """Stationery with templates for it."""
    folder = tmp_path_factory.mktemp("templates")
    copytree(FOLDER / "email" / "welcome", folder / "email" / "nudge")
    copytree(FOLDER, folder, dirs_exist_ok=True)
    return email_config(folder)


async def write_nudge(_: Transaction) -> Nudge:
    return Nudge(name="Ada", confirm_url="https://activelog.example", days=1)


async def nudge(
    run: Run,
    sending: EmailSender,
    user_id: UserId,
    unique_key: str,
    write: Callable[[Transaction], Awaitable[Nudge]] = write_nudge,
) -> None:
    recipient = Recipient(user_id, "Ada", "ada@example.com")
    await deliver(run, sending, recipient, Nudge, write, unique_key=unique_key)


async def test_a_person_gets_no_more_of_a_letter_than_it_says_and_what_waits_takes_no_place(
    database: Database, config: EmailConfig, redis: Redis
) -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:

        async def send(user_id: UserId, job_id: JobId, unique_key: str) -> None:
            sending = EmailSender(
                config, pool, SendLimit(redis, [Rate(9, HOUR)], patience=PATIENCE)
            )
            await nudge(await attempt(database, job_id), sending, user_id, unique_key)

        ada, bob = await registered(database), await registered(database, "bob@example.com")
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
    assert 4 == await redis.zcard(PLACES)
    assert 4 == await database.fetchval("select count(*) from emails where state = 'sent'")


AT_THE_LOCK = """
select pg_backend_pid() as pid
union select pid from pg_locks
where
    locktype = 'advisory'
    and database = (select oid from pg_database where datname = current_database())
"""
"""The connections that hold an advisory lock or wait for one, and the one that asks."""


async def test_of_many_letters_to_a_person_at_once_no_more_go_out_than_it_says(
    database: Database, config: EmailConfig
) -> None:
    """None is written before all have begun, each on a connection of its own."""
    user_id, _ = await registered(database)
    async with database.transaction() as tx:
        job_ids = [await jobs.enqueue(tx, WelcomeEmail(user_id=UserId(uuid4()))) for _ in range(6)]
    begun: set[int] = set()

    async def write(tx: Transaction) -> Nudge:
        while len(begun) < len(job_ids):
            begun.update(row["pid"] for row in await tx.fetch(AT_THE_LOCK))
            await asyncio.sleep(0.01)
        return await write_nudge(tx)

    async def outcome(job_id: JobId, sending: EmailSender) -> str:
        while True:
            run = await attempt(database, job_id)
            try:
                await nudge(run, sending, user_id, str(job_id), write)
            except Snooze:
                return "snoozed"
            except Unavailable:  # on a busy machine others hold the lock for too long
                continue
            return "sent"

    async with scripted_server() as server, smtp_pool_to(server) as pool:
        sending = EmailSender(config, pool, SendLimit(Redis(), []))
        outcomes = await asyncio.gather(
            *(outcome(job_id, sending) for job_id in job_ids if job_id is not None)
        )
    assert 2 == len(server.accepted)
    assert ["sent"] * 2 + ["snoozed"] * 4 == sorted(outcomes)
