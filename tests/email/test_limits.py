"""How many letters go out: all together, and to one person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from shutil import copytree
from uuid import uuid4

import pytest

from app import jobs
from app.email import AtMost, Pace, Post, Recipient, Stationery, deliver
from app.email.letter import LETTERS
from app.embedded.inbox.letters import Inbox
from app.jinja import FOLDER
from app.jobs import JobId, Run
from app.jobs.outcomes import Retry, Snooze
from app.redis import Redis
from app.resources import Resources
from app.settings import Rate
from app.transaction import Database, Transaction
from app.users.jobs import WelcomeEmail
from app.users.letters import Welcome, welcome
from app.users.user import UserId
from tests.email.reading import stationery
from tests.email.scripted import mailer_to, scripted
from tests.email.sending import attempt, post, registered
from tests.email.test_pace import KEEP_THE_LOG, NOW, PLACES, SECOND, spans_of_five, waits
from tests.kit.working import eventually, working


async def test_a_letter_beyond_the_rate_is_snoozed_and_nothing_is_recorded(
    database: Database, resources: Resources
) -> None:
    user_id, job_id = await registered(database)
    async with scripted() as script, mailer_to(script) as mailer:
        paced = post(mailer, Rate(1, 60 * SECOND), redis=resources.redis)
        assert [NOW] == await waits(paced.pace, 1)
        with pytest.raises(Snooze) as snoozed:
            await welcome(await attempt(database, job_id), paced, user_id)
    assert 50 * SECOND < snoozed.value.delay <= 60 * SECOND
    assert script.connections == 0
    assert 0 == await database.fetchval("select count(*) from emails")


@pytest.mark.parametrize(
    "kept_back",
    [
        "insert into suppressions values ('ada@example.com', 'no mailbox')",
        "update emails set sending_until = null, state = 'sent', sent_at = now()",
        "update emails set sending_until = now() + interval '1 minute'",
    ],
    ids=["suppressed", "sent", "being sent"],
)
async def test_a_letter_that_does_not_go_out_takes_no_place_of_another(
    database: Database, resources: Resources, kept_back: str
) -> None:
    user_id, job_id = await registered(database)
    async with scripted({"RCPT": "451 not now"}) as script, mailer_to(script) as mailer:
        paced = post(mailer, Rate(10, 60 * SECOND), redis=resources.redis)
        with pytest.raises(Retry):
            await welcome(await attempt(database, job_id), paced, user_id)
        assert 1 == await resources.redis.zcard(PLACES)
        await database.execute(kept_back)
        script.says.clear()
        with suppress(Snooze):
            await welcome(await attempt(database, job_id), paced, user_id)
    assert [] == script.taken
    assert 1 == await resources.redis.zcard(PLACES)


async def test_a_letter_that_could_go_only_after_it_was_asked_goes_at_its_next_turn(
    database: Database, resources: Resources
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
    async with scripted() as script, mailer_to(script) as mailer:
        paced = post(mailer, Rate(10, 60 * SECOND), redis=resources.redis)
        with pytest.raises(Snooze) as snoozed:
            await welcome(await attempt(database, job_id, Lifted), paced, user_id)
        assert NOW == snoozed.value.delay
        assert 0 == await database.fetchval("select count(*) from emails")
        await welcome(await attempt(database, job_id), paced, user_id)
    assert 1 == len(script.taken)
    assert 1 == await resources.redis.zcard(PLACES)


async def test_a_crowd_of_letters_goes_out_at_the_pace_and_nothing_counts_as_failed(
    database: Database, resources: Resources, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.email.pace.PATIENCE", 10)  # however busy the machine is
    limits = [Rate(5, SECOND / 2), KEEP_THE_LOG]
    paced = replace(resources.post, pace=Pace(resources.redis, limits))
    for number in range(20):
        await registered(database, f"{number}@example.com")

    async def sent() -> int:
        return int(await database.fetchval("select count(*) from jobs where state = 'done'"))

    async with working(replace(resources, post=paced)):
        await eventually(sent, 20, within=20)
    assert 20 == len(inbox.letters())
    spans = await spans_of_five(resources.redis)
    assert (15, True) == (len(spans), min(spans) >= SECOND / 2)
    assert 0 == await database.fetchval("select sum(failures) from jobs")


class Nudge(Welcome, frozen=True):
    """A letter of the tests, of which a person gets two in an hour."""

    letter = "nudge"
    at_most = AtMost(2, timedelta(hours=1))


del LETTERS[Nudge.letter]  # the checks of all letters are not to find it


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Stationery:
    """Stationery with templates for it."""
    folder = tmp_path_factory.mktemp("templates")
    copytree(FOLDER / "email" / "welcome", folder / "email" / "nudge")
    copytree(FOLDER, folder, dirs_exist_ok=True)
    return stationery(folder)


async def nudge(run: Run, sending: Post, user_id: UserId, occasion: str) -> None:
    """Writing takes a moment, in which others may write too."""

    async def write(_: Transaction) -> Nudge:
        await asyncio.sleep(0.1)
        return Nudge(name="Ada", confirm_url="https://activelog.example", days=1)

    recipient = Recipient(user_id, "Ada", "ada@example.com")
    await deliver(run, sending, recipient, Nudge, write, occasion=occasion)


async def test_a_person_gets_no_more_of_a_letter_than_it_says_and_what_waits_takes_no_place(
    database: Database, paper: Stationery, resources: Resources
) -> None:
    async with scripted() as script, mailer_to(script) as mailer:

        async def send(user_id: UserId, job_id: JobId, occasion: str) -> None:
            sending = Post(paper, mailer, Pace(resources.redis, [Rate(9, 3600 * SECOND)]))
            await nudge(await attempt(database, job_id), sending, user_id, occasion)

        ada, bob = await registered(database), await registered(database, "bob@example.com")
        await send(*ada, "first")
        await send(*ada, "second")
        with pytest.raises(Snooze) as snoozed:
            await send(*ada, "third")
        assert 3590 * SECOND < snoozed.value.delay <= 3600 * SECOND
        await send(*ada, "second")
        await send(*bob, "first")
        await database.execute("update emails set written_at = written_at - interval '1 hour'")
        await send(*ada, "third")
    assert len(script.taken) == 4
    assert 4 == await resources.redis.zcard(PLACES)
    assert 4 == await database.fetchval("select count(*) from emails where state = 'sent'")


async def test_of_many_letters_to_a_person_at_once_no_more_go_out_than_it_says(
    database: Database, paper: Stationery
) -> None:
    user_id, _ = await registered(database)
    async with database.transaction() as tx:
        job_ids = [await jobs.enqueue(tx, WelcomeEmail(user_id=UserId(uuid4()))) for _ in range(6)]
    runs = [await attempt(database, job_id) for job_id in job_ids if job_id is not None]
    async with scripted() as script, mailer_to(script, timeout=5) as mailer:
        sending = Post(paper, mailer, Pace(Redis(), []))
        results = await asyncio.gather(
            *(nudge(run, sending, user_id, str(run.job_id)) for run in runs),
            return_exceptions=True,
        )
    assert 2 == len(script.taken)
    assert [Snooze] * 4 == [type(result) for result in results if result is not None]
