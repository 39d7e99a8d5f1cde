"""The limit on all emails together: `MAIL_RATE`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from time import monotonic

import pytest
from structlog.testing import capture_logs

from app.email import SendLimit
from app.email.send_limit import REDIS_PAUSE
from app.redis import Redis, open_redis
from app.settings import Rate
from tests.email.sending import REDIS_TIMEOUT, log_entries, since
from tests.support.outages import frozen, own_valkey
from tests.support.working import WAIT_LIMIT_S

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
NOW = timedelta(0)
LOG_KEY = "activelog:sent_emails"


async def reserve(
    send_limit: SendLimit, count: int, *, subscribed: bool = False
) -> list[timedelta]:
    return [await send_limit.reserve(subscribed=subscribed) for _ in range(count)]


async def shift_log(redis: Redis, by: timedelta) -> None:
    """Move every email in the log back in time."""
    for email in await redis.zrange(LOG_KEY, 0, -1):
        await redis.zincrby(LOG_KEY, -(by // MICROSECOND), email)


async def spans_of_five(redis: Redis) -> list[timedelta]:
    """Return the time from each email to the fifth after it, by Redis's clock."""
    times = [at for _, at in await redis.zrange(LOG_KEY, 0, -1, withscores=True)]
    return [
        timedelta(microseconds=later - first)
        for first, later in zip(times, times[5:], strict=False)
    ]


async def test_no_period_holds_more_emails_than_its_limit_allows(redis: Redis) -> None:
    """Three processes try to send one email each, every 7 minutes."""
    limits = [Rate(5, HOUR), Rate(1000, 24 * HOUR)]  # the longer one keeps every email in the log
    send_limits = [SendLimit(redis, limits, redis_timeout=REDIS_TIMEOUT) for _ in range(3)]
    sent = []
    for _ in range(40):
        sent.append(
            [await send_limit.reserve(subscribed=False) for send_limit in send_limits].count(NOW)
        )
        await shift_log(redis, 7 * MINUTE)
    assert [3, 2, 0, 0, 0, 0, 0, 0, 0] * 4 + [3, 2, 0, 0] == sent
    spans = await spans_of_five(redis)
    assert sum(sent) == len(spans) + 5
    assert min(spans) >= HOUR


@pytest.mark.parametrize(
    "limits",
    [[Rate(3, MINUTE), Rate(6, HOUR)], [Rate(6, HOUR), Rate(3, MINUTE)]],
    ids=["short first", "long first"],
)
async def test_every_limit_applies_and_the_longest_wait_is_returned(
    limits: list[Rate], redis: Redis
) -> None:
    send_limit = SendLimit(redis, limits, redis_timeout=REDIS_TIMEOUT)
    began = monotonic()
    assert [NOW] * 3 == await reserve(send_limit, 3)
    (wait,) = await reserve(send_limit, 1)
    assert MINUTE - since(began) <= wait <= MINUTE
    await shift_log(redis, MINUTE)
    assert [NOW] * 3 == await reserve(send_limit, 3)
    (wait,) = await reserve(send_limit, 1)
    assert HOUR - MINUTE - since(began) <= wait <= HOUR - MINUTE


async def test_emails_with_a_subscription_leave_a_tenth_of_the_limit_for_other_emails(
    redis: Redis,
) -> None:
    send_limit = SendLimit(redis, [Rate(20, HOUR)], redis_timeout=REDIS_TIMEOUT)
    subscribed = await reserve(send_limit, 25, subscribed=True)
    assert 18 == subscribed.count(NOW)
    assert [NOW, NOW] == (await reserve(send_limit, 3))[:2]
    assert NOW not in await reserve(send_limit, 1)


async def test_waiting_emails_get_different_delays(redis: Redis) -> None:
    send_limit = SendLimit(redis, [Rate(10, HOUR)], redis_timeout=REDIS_TIMEOUT)
    delays = (await reserve(send_limit, 40))[10:]
    gaps = [later - earlier for earlier, later in pairwise(delays)]
    assert all(HOUR / 20 < gap <= HOUR / 10 for gap in gaps)
    assert delays[-1] > 3 * HOUR


async def test_log_of_sent_emails_is_trimmed_to_the_period_of_the_limit(redis: Redis) -> None:
    send_limit = SendLimit(redis, [Rate(100, HOUR)], redis_timeout=REDIS_TIMEOUT)
    await reserve(send_limit, 60)
    await shift_log(redis, HOUR)
    await reserve(send_limit, 1)
    assert 1 == await redis.zcard(LOG_KEY)
    assert 0 < await redis.pttl(LOG_KEY) <= HOUR // timedelta(milliseconds=1)


async def test_emails_are_sent_without_being_counted_while_redis_is_unavailable(
    closed_port: int,
) -> None:
    seconds = 0.0
    async with open_redis(f"redis://127.0.0.1:{closed_port}") as redis:
        send_limit = SendLimit(
            redis, [Rate(1, HOUR)], redis_timeout=REDIS_TIMEOUT, clock=lambda: seconds
        )
        with capture_logs() as logs:
            assert [NOW] * 50 == await reserve(send_limit, 50)
            skipped = len(log_entries(logs, "send_limit.skipped"))
            seconds = REDIS_PAUSE.total_seconds()
            assert [NOW] * 50 == await reserve(send_limit, 50)
    assert (1, 2) == (skipped, len(log_entries(logs, "send_limit.skipped")))


async def test_frozen_redis_delays_emails_only_once() -> None:
    """The Redis client itself would wait for an hour."""
    async with own_valkey() as valkey:
        await valkey.start()
        assert valkey.pid is not None
        url = f"{valkey.settings()['REDIS_URL']}?socket_timeout=3600&socket_connect_timeout=3600"
        async with open_redis(url) as redis:
            limits = [Rate(1, HOUR)]
            first, second = await reserve(SendLimit(redis, limits, redis_timeout=REDIS_TIMEOUT), 2)
            assert NOW == first < second
            send_limit = SendLimit(redis, limits, clock=lambda: 0)
            with frozen(valkey.pid), capture_logs() as logs:
                async with asyncio.timeout(WAIT_LIMIT_S):
                    assert [NOW] * 10 == await reserve(send_limit, 10)
    assert ["TimeoutError"] == [entry["error"] for entry in log_entries(logs, "send_limit.skipped")]
