"""How many letters go out: all together, and to one person."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from shutil import copytree
from time import monotonic

import pytest
from structlog.testing import capture_logs

from app.email import AtMost, Pace, Post, Recipient, Stationery, deliver
from app.email.letter import LETTERS
from app.embedded.inbox.letters import Inbox
from app.jinja import FOLDER
from app.jobs import JobId
from app.jobs.outcomes import Snooze
from app.redis import Redis, open_redis
from app.resources import Resources
from app.settings import Rate
from app.transaction import Database, Transaction
from app.users.letters import Welcome, welcome
from app.users.user import UserId
from tests.email.reading import stationery
from tests.email.scripted import mailer_to, scripted
from tests.email.sending import attempt, post, registered
from tests.kit.outages import frozen, valkey_of_one
from tests.kit.working import eventually, working

SECOND = timedelta(seconds=1)
NOW = timedelta(0)


async def waits(pace: Pace, letters: int, *, subscribed: bool = False) -> list[timedelta]:
    return [await pace.wait(subscribed=subscribed) for _ in range(letters)]


async def test_no_period_of_any_position_holds_more_than_its_limit(resources: Resources) -> None:
    paces = [Pace(resources.redis, [Rate(5, SECOND / 5)]) for _ in range(3)]
    begun, sent = monotonic(), []
    while monotonic() < begun + 1:
        told = [await pace.wait(subscribed=False) for pace in paces]
        sent += [monotonic()] * told.count(NOW)
        await asyncio.sleep(0.004)
    assert 20 <= len(sent) <= 30
    spans = [later - first for first, later in zip(sent, sent[5:], strict=False)]
    assert min(spans) > 0.19


async def test_every_limit_holds_and_the_wait_is_for_the_longest(resources: Resources) -> None:
    pace = Pace(resources.redis, [Rate(3, SECOND), Rate(5, 3600 * SECOND)])
    assert [NOW] * 3 == await waits(pace, 3)
    (wait,) = await waits(pace, 1)
    assert NOW < wait <= SECOND
    await asyncio.sleep(1)
    assert [NOW] * 2 == await waits(pace, 2)
    (wait,) = await waits(pace, 1)
    assert 3590 * SECOND < wait <= 3600 * SECOND


async def test_letters_to_subscribers_leave_room_for_those_that_are_waited_for(
    resources: Resources,
) -> None:
    pace = Pace(resources.redis, [Rate(20, 60 * SECOND)])
    subscribed = await waits(pace, 25, subscribed=True)
    assert 18 == subscribed.count(NOW)
    assert [NOW, NOW] == (await waits(pace, 3))[:2]
    assert NOW not in await waits(pace, 1)


async def test_those_who_wait_are_told_different_times(resources: Resources) -> None:
    pace = Pace(resources.redis, [Rate(10, SECOND)])
    told = (await waits(pace, 40))[10:]
    gaps = [later - earlier for earlier, later in pairwise(told)]
    assert all(SECOND / 20 < gap <= SECOND / 10 for gap in gaps)
    assert told[-1] > 3 * SECOND


async def test_the_log_holds_no_more_than_the_longest_period(resources: Resources) -> None:
    pace = Pace(resources.redis, [Rate(100, SECOND / 10)])
    await waits(pace, 60)
    await asyncio.sleep(0.1)
    await waits(pace, 1)
    assert 1 == await resources.redis.zcard("activelog:letters")
    assert 0 < await resources.redis.pttl("activelog:letters") <= 100


async def test_without_redis_letters_go_and_it_is_not_asked_each_time() -> None:
    async with open_redis("redis://127.0.0.1:9") as redis:
        pace = Pace(redis, [Rate(1, SECOND)])
        with capture_logs() as logs:
            assert [NOW] * 50 == await waits(pace, 50)
    assert ["mail.unpaced"] == [log["event"] for log in logs]


async def test_a_frozen_redis_holds_nobody_up() -> None:
    async with valkey_of_one() as valkey:
        await valkey.start()
        assert valkey.pid is not None
        async with open_redis(valkey.settings()["REDIS_URL"]) as redis:
            pace = Pace(redis, [Rate(1, SECOND)])
            assert [NOW] == await waits(pace, 1)
            with frozen(valkey.pid):
                begun = monotonic()
                assert [NOW] * 10 == await waits(pace, 10)
                assert monotonic() - begun < 1


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


async def test_a_crowd_of_letters_goes_out_at_the_pace_and_nothing_counts_as_failed(
    database: Database, resources: Resources, inbox: Inbox
) -> None:
    pace = Pace(resources.redis, [Rate(5, SECOND / 2)])
    paced = replace(resources, post=replace(resources.post, pace=pace))
    for number in range(20):
        await registered(database, f"{number}@example.com")

    async def sent() -> int:
        return int(await database.fetchval("select count(*) from jobs where state = 'done'"))

    async with working(paced):
        await eventually(sent, 20, within=20)
    arrived = sorted(letter.received_at for letter in inbox.letters())
    assert 20 == len(arrived)
    spans = [later - first for first, later in zip(arrived, arrived[5:], strict=False)]
    assert min(spans) > SECOND / 3
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


async def test_a_person_gets_no_more_of_a_letter_than_it_says(
    database: Database, paper: Stationery
) -> None:
    async with scripted() as script, mailer_to(script) as mailer:

        async def nudge(user_id: UserId, job_id: JobId, occasion: str) -> None:
            async def write(_: Transaction) -> Nudge:
                return Nudge(name="Ada", confirm_url="https://activelog.example", days=1)

            run = await attempt(database, job_id)
            recipient = Recipient(user_id, "Ada", "ada@example.com")
            sending = Post(paper, mailer, Pace(Redis(), []))
            await deliver(run, sending, recipient, Nudge, write, occasion=occasion)

        ada, bob = await registered(database), await registered(database, "bob@example.com")
        await nudge(*ada, "first")
        await nudge(*ada, "second")
        with pytest.raises(Snooze) as snoozed:
            await nudge(*ada, "third")
        assert 3590 * SECOND < snoozed.value.delay <= 3600 * SECOND
        await nudge(*ada, "second")
        await nudge(*bob, "first")
        await database.execute("update emails set written_at = written_at - interval '1 hour'")
        await nudge(*ada, "third")
    assert len(script.taken) == 4
    assert 4 == await database.fetchval("select count(*) from emails where state = 'sent'")
