"""Rate limits: how often someone may do something, counted in Redis across all processes.

Limits fail open: while Redis is unavailable nothing is counted, so nobody reaches a limit. The
counters' keys contain no addresses or ids, only keyed hashes of them, and each is kept for no
longer than its limit's period.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import Any, NamedTuple

import structlog

from app import metrics
from app.errors import TooMany
from app.event_loop import cancel_all
from app.redis import OUTAGES, Redis
from app.settings import Rate

REDIS_TIMEOUT_S = 0.02
"""How long a request waits for Redis."""
OUTAGE_PAUSE_S = 5.0
"""How long to avoid Redis after it has failed to answer."""
FLUSH_INTERVAL_S = 0.2
"""How often batched counts are sent to Redis."""

# A key's value is the time, in microseconds, at which everything counted so far no longer counts.
# That time is at most one period ahead. This is the generic cell rate algorithm.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ends, wait, reached = {}, 0, 0
for i, key in ipairs(KEYS) do
    local max_count, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    ends[i] = math.max(tonumber(redis.call('GET', key) or 0), now) + period / max_count
    if ends[i] - period - now > wait then wait, reached = ends[i] - period - now, i end
end
if wait > 0 then return {math.ceil(wait), reached} end
for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', ends[i]), 'PX', math.ceil((ends[i] - now) / 1000))
end
return {0, 0}
"""
_ADD = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local max_count, period, waits = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for i, key in ipairs(KEYS) do
    local ends = math.max(tonumber(redis.call('GET', key) or 0), now)
    ends = math.min(ends + ARGV[2 + i] * period / max_count, now + period)
    redis.call('SET', key, string.format('%.0f', ends), 'PX', math.ceil((ends - now) / 1000))
    waits[i] = math.max(0, math.ceil(ends + period / max_count - period - now))
end
return waits
"""

log = structlog.get_logger(__name__)


class RateLimit(NamedTuple):
    """A limit that allows a burst of `max_count`, then one more per `period / max_count`."""

    name: str
    """Part of the key in Redis and the label of the metric."""
    rate: Rate

    @property
    def script_args(self) -> tuple[int, int]:
        return self.rate.max_count, self.rate.period // timedelta(microseconds=1)


class RateLimiter:
    """A limiter for actions so rare that it can ask Redis each time."""

    def __init__(self, redis: Redis, secret: str, *, timeout_s: float = REDIS_TIMEOUT_S) -> None:
        self._redis = redis
        self._secret = secret
        self._timeout_s = timeout_s
        self._take = redis.register_script(_TAKE)
        self._paused_until = 0.0

    async def take(self, *counted: tuple[RateLimit, str]) -> None:
        """Count one action for each limit and subject, or nothing if a limit has been reached.

        Raises:
            TooMany: a limit has been reached.
        """
        keys = [_key(self._secret, limit, subject) for limit, subject in counted]
        args = [arg for limit, _ in counted for arg in limit.script_args]
        answer = await self._answer(lambda: self._take(keys=keys, args=args))
        wait_us, reached = answer or (0, 0)
        if wait_us:
            metrics.refused.labels(counted[reached - 1][0].name).inc()
            raise _too_many(wait_us / 1e6)

    async def reset(self, limit: RateLimit, subject: str) -> None:
        """Forget what was counted for a subject."""
        await self._answer(lambda: self._redis.delete(_key(self._secret, limit, subject)))

    async def _answer(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Return Redis's answer, or None if Redis is unavailable, too slow or avoided for now.

        A call that times out is not cancelled, so that a connection that is slow to open can serve
        the next call.
        """
        if monotonic() < self._paused_until:
            return None
        call = asyncio.ensure_future(ask())
        done, _ = await asyncio.wait([call], timeout=self._timeout_s)
        call.add_done_callback(_retrieve_exception)
        if done and not isinstance(call.exception(), OUTAGES):
            return call.result()
        self._paused_until = monotonic() + OUTAGE_PAUSE_S
        log.warning("rate_limits.suspended", seconds=OUTAGE_PAUSE_S)
        return None


class BatchedRateLimiter:
    """A limiter for actions so frequent that it sends their counts to Redis in batches.

    The actions within one flush interval can therefore exceed the limit.
    """

    def __init__(self, redis: Redis, secret: str, limit: RateLimit) -> None:
        self._secret = secret
        self._limit = limit
        self._add = redis.register_script(_ADD)
        self._counts: Counter[str] = Counter()
        self._refused_until: dict[str, float] = {}
        self._has_counts = asyncio.Event()

    def count(self, subject: str) -> None:
        """Count one action for a subject.

        Raises:
            TooMany: according to the last flush, the limit has been reached.
        """
        if self._refused_until and (until := self._refused_until.get(subject)):
            if (wait_s := until - monotonic()) > 0:
                metrics.refused.labels(self._limit.name).inc()
                raise _too_many(wait_s)
            del self._refused_until[subject]
        self._counts[subject] += 1
        self._has_counts.set()

    async def run(self) -> None:
        """Flush the counts until cancelled. While Redis is unavailable, counts are dropped."""
        while True:
            await self._has_counts.wait()
            await asyncio.sleep(FLUSH_INTERVAL_S)
            try:
                await self.flush()
            except OUTAGES as error:
                log.warning("rate_limits.flush_failed", error=type(error).__name__)
                await asyncio.sleep(OUTAGE_PAUSE_S)

    async def flush(self) -> None:
        """Send the counts to Redis and learn which subjects have to wait.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        counts, self._counts = self._counts, Counter()
        self._has_counts.clear()
        now = monotonic()
        self._refused_until = {
            subject: until for subject, until in self._refused_until.items() if until > now
        }
        keys = [_key(self._secret, self._limit, subject) for subject in counts]
        waits_us = await self._add(keys=keys, args=[*self._limit.script_args, *counts.values()])
        now = monotonic()
        self._refused_until |= {
            subject: now + wait_us / 1e6
            for subject, wait_us in zip(counts, waits_us, strict=True)
            if wait_us
        }


@asynccontextmanager
async def open_batched_limiter(
    redis: Redis, secret: str, limit: RateLimit
) -> AsyncIterator[BatchedRateLimiter]:
    """Open a limiter that is flushed while the block runs."""
    limiter = BatchedRateLimiter(redis, secret, limit)
    flushing = asyncio.create_task(limiter.run(), name="rate-limits")
    try:
        yield limiter
    finally:
        await cancel_all([flushing])


def _key(secret: str, limit: RateLimit, subject: str) -> str:
    digest = hmac.digest(secret.encode(), f"{limit.name}\0{subject}".encode(), "sha256")
    return f"activelog:rate:{limit.name}:{digest[:16].hex()}"


def _too_many(wait_s: float) -> TooMany:
    return TooMany("Too many requests. Try again later.", retry_after=ceil(wait_s))


def _retrieve_exception(call: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a call that timed out, so that asyncio does not report it."""
    if not call.cancelled():
        call.exception()
