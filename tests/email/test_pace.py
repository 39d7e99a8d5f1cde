"""The pace of all letters together."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from time import monotonic

from structlog.testing import capture_logs

from app.email import Pace
from app.redis import Redis, open_redis
from app.resources import Resources
from app.settings import Rate
from tests.kit.outages import frozen, valkey_of_one

SECOND = timedelta(seconds=1)
NOW = timedelta(0)
PLACES = "activelog:letters"
KEEP_THE_LOG = Rate(1000, 3600 * SECOND)


async def waits(pace: Pace, letters: int, *, subscribed: bool = False) -> list[timedelta]:
    return [await pace.wait(subscribed=subscribed) for _ in range(letters)]


async def test_no_period_of_any_position_holds_more_than_its_limit(resources: Resources) -> None:
    limits = [Rate(5, SECOND / 5), KEEP_THE_LOG]
    paces = [Pace(resources.redis, limits) for _ in range(3)]
    begun, sent = monotonic(), 0
    while monotonic() < begun + 1:
        sent += [await pace.wait(subscribed=False) for pace in paces].count(NOW)
        await asyncio.sleep(0.004)
    spans = await spans_of_five(resources.redis)
    assert 10 < sent == len(spans) + 5
    assert min(spans) >= SECOND / 5


async def spans_of_five(redis: Redis) -> list[timedelta]:
    """From each place that was taken to the fifth after it, by the clock of Redis."""
    taken = [at for _, at in await redis.zrange(PLACES, 0, -1, withscores=True)]
    return [
        timedelta(microseconds=later - first)
        for first, later in zip(taken, taken[5:], strict=False)
    ]


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
    assert 1 == await resources.redis.zcard(PLACES)
    assert 0 < await resources.redis.pttl(PLACES) <= 100


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
