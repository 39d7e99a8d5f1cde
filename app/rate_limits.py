"""How often somebody may do something, counted in Redis for all processes together.

It falls open: while Redis is away nothing is counted and nobody is refused. Redis holds no address
and no id, only keyed hashes of them, and each for no longer than its limit's period.
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

PATIENCE = 0.02
"""Seconds that a request waits for Redis."""
NOT_ASKED = 5.0
"""Seconds for which a Redis that was away is not asked again."""
TURN = 0.2
"""Seconds between two looks of a tally at Redis."""

# What is kept under a key is the moment, in microseconds, when all that was counted has been made
# up for; it may lie as far ahead as the period is long. This is the generic cell rate algorithm.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ends, wait, reached = {}, 0, 0
for i, key in ipairs(KEYS) do
    local most, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    ends[i] = math.max(tonumber(redis.call('GET', key) or 0), now) + period / most
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
local most, period, waits = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for i, key in ipairs(KEYS) do
    local ends = math.max(tonumber(redis.call('GET', key) or 0), now)
    ends = math.min(ends + ARGV[2 + i] * period / most, now + period)
    redis.call('SET', key, string.format('%.0f', ends), 'PX', math.ceil((ends - now) / 1000))
    waits[i] = math.max(0, math.ceil(ends + period / most - period - now))
end
return waits
"""

log = structlog.get_logger(__name__)


class Limit(NamedTuple):
    """So many at once; from then on one more each time that its share of the period has passed."""

    name: str
    most: int
    period: timedelta

    @property
    def figures(self) -> tuple[int, int]:
        return self.most, self.period // timedelta(microseconds=1)


class Rates:
    """For what is rare enough to ask Redis each time, within `patience` seconds."""

    def __init__(self, redis: Redis, secret: str, *, patience: float = PATIENCE) -> None:
        self._redis = redis
        self._secret = secret
        self._patience = patience
        self._take = redis.register_script(_TAKE)
        self._ask_from = 0.0

    async def take(self, *wanted: tuple[Limit, str]) -> None:
        """Count once for each limit and whom it is for, or not at all if one of them is reached.

        Raises:
            TooMany: one is.
        """
        keys = [_key(self._secret, limit, who) for limit, who in wanted]
        figures = [figure for limit, _ in wanted for figure in limit.figures]
        answer = await self._in_time(lambda: self._take(keys=keys, args=figures))
        microseconds, reached = answer or (0, 0)
        if microseconds:
            metrics.refused.labels(wanted[reached - 1][0].name).inc()
            raise _too_many(microseconds / 1e6)

    async def forget(self, limit: Limit, who: str) -> None:
        """Begin to count anew."""
        await self._in_time(lambda: self._redis.delete(_key(self._secret, limit, who)))

    async def _in_time(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Redis's answer; None: there was none in time, or none is waited for.

        A question that takes too long is not cut short, so that a connection that is slow to open
        is there for the next one.
        """
        if monotonic() < self._ask_from:
            return None
        asking = asyncio.ensure_future(ask())
        done, _ = await asyncio.wait([asking], timeout=self._patience)
        asking.add_done_callback(_heard)
        if done and not isinstance(asking.exception(), OUTAGES):
            return asking.result()
        self._ask_from = monotonic() + NOT_ASKED
        log.warning("rates.fall_open", seconds=NOT_ASKED)
        return None


class Tally:
    """For what is so frequent that no request can wait for Redis: it is told five times a second.

    So a limit can be passed by what is done in a fifth of a second.
    """

    def __init__(self, redis: Redis, secret: str, limit: Limit) -> None:
        self._secret = secret
        self._limit = limit
        self._add = redis.register_script(_ADD)
        self._counts: Counter[str] = Counter()
        self._held: dict[str, float] = {}
        self._some = asyncio.Event()

    def count(self, who: str) -> None:
        """
        Raises:
            TooMany: they have done enough for now, by what Redis last said.
        """
        if self._held and (until := self._held.get(who)):
            if (left := until - monotonic()) > 0:
                metrics.refused.labels(self._limit.name).inc()
                raise _too_many(left)
            del self._held[who]
        self._counts[who] += 1
        self._some.set()

    async def run(self) -> None:
        """Tell Redis, until cancelled. While it is away, counts are dropped."""
        while True:
            await self._some.wait()
            await asyncio.sleep(TURN)
            try:
                await self.flush()
            except OUTAGES as error:
                log.warning("rates.not_counted", error=type(error).__name__)
                await asyncio.sleep(NOT_ASKED)

    async def flush(self) -> None:
        """Tell Redis what was counted, and hear who has to wait.

        Raises:
            redis.RedisError: it is away.
        """
        counts, self._counts = self._counts, Counter()
        self._some.clear()
        now = monotonic()
        self._held = {who: until for who, until in self._held.items() if until > now}
        keys = [_key(self._secret, self._limit, who) for who in counts]
        waits = await self._add(keys=keys, args=[*self._limit.figures, *counts.values()])
        now = monotonic()
        self._held |= {
            who: now + wait / 1e6 for who, wait in zip(counts, waits, strict=True) if wait
        }


@asynccontextmanager
async def open_tally(redis: Redis, secret: str, limit: Limit) -> AsyncIterator[Tally]:
    """A tally that tells Redis as long as the block runs."""
    tally = Tally(redis, secret, limit)
    telling = asyncio.create_task(tally.run(), name="tally")
    try:
        yield tally
    finally:
        await cancel_all([telling])


def _key(secret: str, limit: Limit, who: str) -> str:
    digest = hmac.digest(secret.encode(), f"{limit.name}\0{who}".encode(), "sha256")
    return f"activelog:rate:{limit.name}:{digest[:16].hex()}"


def _too_many(seconds: float) -> TooMany:
    return TooMany("Too many requests. Try again later.", retry_after=ceil(seconds))


def _heard(asked: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for any more: the caller fell open long ago."""
    if not asked.cancelled():
        asked.exception()
