"""The limit on all emails together: `MAIL_RATE`."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from time import monotonic
from typing import Any

import pytest

from app.email import SendLimit
from app.rate_limits import RateLimiter
from app.redis import Redis, open_redis
from app.settings import Rate
from tests.email.sending import SECRET, send_limit, since
from tests.support.rate_limits import counted_times, shift_counts

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
NOW = timedelta(0)


async def reserve(limit: SendLimit, count: int, *, subscribed: bool = False) -> list[timedelta]:
    return [await limit.reserve(subscribed=subscribed) for _ in range(count)]


async def shift_log(redis: Redis, by: timedelta) -> None:
    """Move every counted email back in time."""
    await shift_counts(redis, "activelog:limit:emails_*", by)


async def log_key(redis: Redis, number: int) -> str:
    """Return the key of the emails counted against this limit, numbered from 1."""
    (key,) = await redis.keys(f"activelog:limit:emails_{number}:*")
    return str(key, "ascii")


async def counted_emails(redis: Redis) -> int:
    connection: Any = redis
    return int(await connection.llen(await log_key(redis, 1)))


async def spans_of_five(redis: Redis) -> list[timedelta]:
    """Return the time from each email to the fifth after it, as the second limit counted them."""
    times = await counted_times(redis, await log_key(redis, 2))
    return [later - first for first, later in zip(times, times[5:], strict=False)]


async def test_no_period_holds_more_emails_than_its_limit_allows(redis: Redis) -> None:
    """Three processes try to send one email each, every 7 minutes."""
    limits = [Rate(5, HOUR), Rate(1000, 24 * HOUR)]  # the second keeps the times of all emails
    send_limits = [send_limit(redis, *limits) for _ in range(3)]
    sent = []
    for _ in range(40):
        sent.append([await limit.reserve(subscribed=False) for limit in send_limits].count(NOW))
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
    limit = send_limit(redis, *limits)
    began = monotonic()
    assert [NOW] * 3 == await reserve(limit, 3)
    (wait,) = await reserve(limit, 1)
    assert MINUTE - since(began) <= wait <= MINUTE
    await shift_log(redis, MINUTE)
    assert [NOW] * 3 == await reserve(limit, 3)
    (wait,) = await reserve(limit, 1)
    assert HOUR - MINUTE - since(began) <= wait <= HOUR - MINUTE


async def test_emails_with_a_subscription_leave_a_tenth_of_the_limit_for_other_emails(
    redis: Redis,
) -> None:
    limit = send_limit(redis, Rate(20, HOUR))
    subscribed = await reserve(limit, 25, subscribed=True)
    assert 18 == subscribed.count(NOW)
    assert [NOW, NOW] == (await reserve(limit, 3))[:2]
    assert NOW not in await reserve(limit, 1)


async def test_waiting_emails_of_a_worker_get_different_delays(redis: Redis) -> None:
    delays = (await reserve(send_limit(redis, Rate(10, HOUR)), 40))[10:]
    gaps = [later - earlier for earlier, later in pairwise(delays)]
    assert all(HOUR / 20 < gap <= HOUR / 10 for gap in gaps)
    assert delays[-1] > 3 * HOUR


async def test_counted_emails_are_forgotten_after_the_period_of_the_limit(redis: Redis) -> None:
    await reserve(send_limit(redis, Rate(100, HOUR)), 60)
    ttl_ms = await redis.pttl(await log_key(redis, 1))
    assert 0 < ttl_ms <= HOUR // timedelta(milliseconds=1)


async def test_each_worker_applies_the_limit_alone_while_redis_is_unavailable(
    closed_port: int,
) -> None:
    async with open_redis(f"redis://127.0.0.1:{closed_port}") as redis:
        limit = SendLimit(RateLimiter(redis, SECRET), [Rate(3, HOUR)])
        delays = await reserve(limit, 5)
    assert [NOW] * 3 == delays[:3]
    assert all(delay > HOUR - MINUTE for delay in delays[3:])
