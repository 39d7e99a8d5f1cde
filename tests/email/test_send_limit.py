"""The pace of all emails together."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from time import monotonic

import pytest
from structlog.testing import capture_logs

from app.email import SendLimit
from app.email.send_limit import NOT_ASKED
from app.redis import Redis, open_redis
from app.settings import Rate
from tests.email.sending import PATIENCE, logged, since
from tests.support.outages import frozen, valkey_of_one
from tests.support.working import WAIT_LIMIT_S

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
NOW = timedelta(0)
PLACES = "activelog:letters"


async def waits(pace: SendLimit, emails: int, *, subscribed: bool = False) -> list[timedelta]:
    return [await pace.wait(subscribed=subscribed) for _ in range(emails)]


async def age(redis: Redis, by: timedelta) -> None:
    """Have every place been taken so much earlier, as if the time had passed."""
    for place in await redis.zrange(PLACES, 0, -1):
        await redis.zincrby(PLACES, -(by // MICROSECOND), place)


async def spans_of_five(redis: Redis) -> list[timedelta]:
    """From each place that was taken to the fifth after it, by the clock of Redis."""
    taken = [at for _, at in await redis.zrange(PLACES, 0, -1, withscores=True)]
    return [
        timedelta(microseconds=later - first)
        for first, later in zip(taken, taken[5:], strict=False)
    ]


async def test_no_period_of_any_position_holds_more_than_its_limit(redis: Redis) -> None:
    """Three processes ask every 7 minutes for one email each."""
    limits = [Rate(5, HOUR), Rate(1000, 24 * HOUR)]  # the longer one keeps every place in Redis
    paces = [SendLimit(redis, limits, patience=PATIENCE) for _ in range(3)]
    sent = []
    for _ in range(40):
        sent.append([await pace.wait(subscribed=False) for pace in paces].count(NOW))
        await age(redis, 7 * MINUTE)
    assert [3, 2, 0, 0, 0, 0, 0, 0, 0] * 4 + [3, 2, 0, 0] == sent
    spans = await spans_of_five(redis)
    assert sum(sent) == len(spans) + 5
    assert min(spans) >= HOUR


@pytest.mark.parametrize(
    "limits",
    [[Rate(3, MINUTE), Rate(6, HOUR)], [Rate(6, HOUR), Rate(3, MINUTE)]],
    ids=["short first", "long first"],
)
async def test_every_limit_holds_and_the_wait_is_for_the_longest(
    limits: list[Rate], redis: Redis
) -> None:
    pace = SendLimit(redis, limits, patience=PATIENCE)
    began = monotonic()
    assert [NOW] * 3 == await waits(pace, 3)
    (wait,) = await waits(pace, 1)
    assert MINUTE - since(began) <= wait <= MINUTE
    await age(redis, MINUTE)
    assert [NOW] * 3 == await waits(pace, 3)
    (wait,) = await waits(pace, 1)
    assert HOUR - MINUTE - since(began) <= wait <= HOUR - MINUTE


async def test_letters_to_subscribers_leave_room_for_those_that_are_waited_for(
    redis: Redis,
) -> None:
    pace = SendLimit(redis, [Rate(20, HOUR)], patience=PATIENCE)
    subscribed = await waits(pace, 25, subscribed=True)
    assert 18 == subscribed.count(NOW)
    assert [NOW, NOW] == (await waits(pace, 3))[:2]
    assert NOW not in await waits(pace, 1)


async def test_those_who_wait_are_told_different_times(redis: Redis) -> None:
    pace = SendLimit(redis, [Rate(10, HOUR)], patience=PATIENCE)
    told = (await waits(pace, 40))[10:]
    gaps = [later - earlier for earlier, later in pairwise(told)]
    assert all(HOUR / 20 < gap <= HOUR / 10 for gap in gaps)
    assert told[-1] > 3 * HOUR


async def test_the_log_holds_no_more_than_the_longest_period(redis: Redis) -> None:
    pace = SendLimit(redis, [Rate(100, HOUR)], patience=PATIENCE)
    await waits(pace, 60)
    await age(redis, HOUR)
    await waits(pace, 1)
    assert 1 == await redis.zcard(PLACES)
    assert 0 < await redis.pttl(PLACES) <= HOUR // timedelta(milliseconds=1)


async def test_without_redis_letters_go_and_it_is_not_asked_each_time(closed_port: int) -> None:
    seconds = 0.0
    async with open_redis(f"redis://127.0.0.1:{closed_port}") as redis:
        pace = SendLimit(redis, [Rate(1, HOUR)], patience=PATIENCE, clock=lambda: seconds)
        with capture_logs() as logs:
            assert [NOW] * 50 == await waits(pace, 50)
            asked = len(logged(logs, "mail.unpaced"))
            seconds = NOT_ASKED.total_seconds()
            assert [NOW] * 50 == await waits(pace, 50)
    assert (1, 2) == (asked, len(logged(logs, "mail.unpaced")))


async def test_a_frozen_redis_holds_nobody_up() -> None:
    """Its client would wait for an hour."""
    async with valkey_of_one() as valkey:
        await valkey.start()
        assert valkey.pid is not None
        url = f"{valkey.settings()['REDIS_URL']}?socket_timeout=3600&socket_connect_timeout=3600"
        async with open_redis(url) as redis:
            limits = [Rate(1, HOUR)]
            first, second = await waits(SendLimit(redis, limits, patience=PATIENCE), 2)
            assert NOW == first < second
            pace = SendLimit(redis, limits, clock=lambda: 0)
            with frozen(valkey.pid), capture_logs() as logs:
                async with asyncio.timeout(WAIT_LIMIT_S):
                    assert [NOW] * 10 == await waits(pace, 10)
    assert ["TimeoutError"] == [entry["error"] for entry in logged(logs, "mail.unpaced")]
