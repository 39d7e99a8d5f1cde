"""Rate limits: how often someone may do something, counted in Redis across all processes.

While Redis does not respond, each process applies the limits to what it has counted itself, so
neither an outage nor a busy event loop lifts a limit. Redis stores no addresses and no ids, only
keyed hashes of them, each for no longer than its limit's period.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import Any, NamedTuple, TypeAlias

import structlog

from app import metrics
from app.errors import TooMany
from app.event_loop import cancel_all
from app.redis import OUTAGES, Redis
from app.settings import Rate

REDIS_TIMEOUT_S = 0.25
"""How long an action waits for Redis."""
OUTAGE_PAUSE_S = 5.0
"""How long to avoid Redis after it has failed to respond."""
FLUSH_INTERVAL_S = 0.2
"""How often batched counts are sent to Redis."""
SWEEP_AT = 10_000
"""The number of subjects above which a process first forgets those without recent actions."""

# A key holds the times, in microseconds, of a subject's latest actions, newest first. There is room
# for another action if the oldest one that matters is at least one period old.
_COUNT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limits, longest = {}, 0
local function wait(limit)
    local oldest = redis.call('LINDEX', limit.key, limit.usable - 1)
    return oldest and math.max(0, oldest + limit.period - now) or 0
end
for i, key in ipairs(KEYS) do
    local usable, max_count, period, count, counts_refused = unpack(ARGV, 5 * i - 4, 5 * i)
    limits[i] = {
        key = key, usable = tonumber(usable), max_count = tonumber(max_count),
        period = tonumber(period), count = tonumber(count), counts_refused = counts_refused == '1'
    }
    limits[i].wait = wait(limits[i])
    longest = math.max(longest, limits[i].wait)
end
local before, after = {}, {}
for i, limit in ipairs(limits) do
    if longest == 0 or limit.counts_refused then
        for _ = 1, math.min(limit.count, limit.max_count) do
            redis.call('LPUSH', limit.key, string.format('%.0f', now))
        end
        redis.call('LTRIM', limit.key, 0, limit.max_count - 1)
        redis.call('PEXPIRE', limit.key, math.ceil(limit.period / 1000))
    end
    before[i], after[i] = limit.wait, wait(limit)
end
return {before, after}
"""

log = structlog.get_logger(__name__)


class RateLimit(NamedTuple):
    """A limit on how many actions a subject can take in any period of the given length."""

    name: str
    """Part of the key in Redis and the label of the metric."""
    rate: Rate
    counts_refused: bool = False
    """Whether refused actions count too, so that someone who does not stop stays refused."""
    usable: int | None = None
    """How many of the actions the caller may use. By default all; the others are reserved."""

    @property
    def room(self) -> int:
        return self.rate.max_count if self.usable is None else self.usable

    def script_args(self, count: int) -> tuple[int, ...]:
        max_count, period = self.rate
        microseconds = period // timedelta(microseconds=1)
        return self.room, max_count, microseconds, count, int(self.counts_refused)


Counted: TypeAlias = tuple[RateLimit, str]
"""A limit, and the subject whose actions it counts."""


class Refusal(NamedTuple):
    """The limit that refuses an action for the longest time."""

    limit: RateLimit
    wait_s: float
    """How long until there is room, in seconds."""


class RateLimiter:
    """The rate limits of one process, backed by Redis."""

    def __init__(
        self,
        redis: Redis,
        secret: str,
        *,
        timeout_s: float = REDIS_TIMEOUT_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        Args:
            secret: the key for the hashes of subjects.
            timeout_s: how long an action waits for Redis before this process decides.
            clock: returns monotonic seconds.
        """
        self._secret = secret
        self._timeout_s = timeout_s
        self._clock = clock
        self._redis = redis
        self._script = redis.register_script(_COUNT)
        self._avoid_redis_until_s = 0.0
        self._own_counts = _OwnCounts(clock)
        self._batch: Counter[Counted] = Counter()
        self._refused_until_s: dict[Counted, float] = {}
        self._has_batch = asyncio.Event()

    async def take(self, *counted: Counted) -> None:
        """Count one action for each limit and subject.

        If a limit has been reached, only limits that count refused actions count it.

        Raises:
            TooMany: a limit has been reached.
        """
        if refusal := await self.find_refusal(*counted):
            metrics.refused.labels(refusal.limit.name).inc()
            raise _too_many(refusal.wait_s)

    async def find_refusal(self, *counted: Counted) -> Refusal | None:
        """Count like `take`, but return the refusal, or None if the action is allowed."""
        # Counted here first, because many actions may be waiting for Redis when it falls silent.
        own_waits_s = self._own_counts.count(counted)
        answer = await self._ask(counted, [1] * len(counted))
        waits_s = own_waits_s if answer is None else [wait_us / 1e6 for wait_us in answer[0]]
        wait_s, at = max((wait_s, at) for at, wait_s in enumerate(waits_s))
        return Refusal(counted[at][0], wait_s) if wait_s > 0 else None

    async def reset(self, limit: RateLimit, subject: str) -> None:
        """Forget what was counted for a subject."""
        self._own_counts.forget(limit, subject)
        await self._answer_of(self._redis.delete(_key(self._secret, limit, subject)))

    def count(self, limit: RateLimit, subject: str) -> None:
        """Count an action that is too frequent to ask Redis each time.

        Counts are sent to Redis in batches, so the actions within one flush interval can exceed the
        limit.

        Raises:
            TooMany: according to the last flush, the limit has been reached.
        """
        counted = limit, subject
        if self._refused_until_s and (until_s := self._refused_until_s.get(counted)):
            if (wait_s := until_s - self._clock()) > 0:
                metrics.refused.labels(limit.name).inc()
                raise _too_many(wait_s)
            del self._refused_until_s[counted]
        self._batch[counted] += 1
        self._has_batch.set()

    async def run(self) -> None:
        """Flush the batched counts until cancelled."""
        while True:
            await self._has_batch.wait()
            await asyncio.sleep(FLUSH_INTERVAL_S)
            await self.flush()

    async def flush(self) -> None:
        """Send the batched counts to Redis and learn which subjects have to wait."""
        batch, self._batch = self._batch, Counter()
        self._has_batch.clear()
        now_s = self._clock()
        self._refused_until_s = {
            counted: until_s
            for counted, until_s in self._refused_until_s.items()
            if until_s > now_s
        }
        answer = await self._ask(list(batch), list(batch.values()))
        if answer is None:
            waits_s = [self._own_counts.add(*counted, count) for counted, count in batch.items()]
        else:
            waits_s = [wait_us / 1e6 for wait_us in answer[1]]
        now_s = self._clock()
        self._refused_until_s |= {
            counted: now_s + wait_s
            for counted, wait_s in zip(batch, waits_s, strict=True)
            if wait_s
        }

    async def _ask(
        self, counted: Sequence[Counted], counts: Sequence[int]
    ) -> tuple[list[int], list[int]] | None:
        """Count in Redis. Return the waits before and after, in microseconds; None in an outage."""
        if self._clock() < self._avoid_redis_until_s:
            return None
        keys = [_key(self._secret, limit, subject) for limit, subject in counted]
        args = [
            argument
            for (limit, _), count in zip(counted, counts, strict=True)
            for argument in limit.script_args(count)
        ]
        answer: tuple[list[int], list[int]] | None
        answer = await self._answer_of(self._script(keys=keys, args=args))
        return answer

    async def _answer_of(self, command: Any) -> Any:
        """Return Redis's answer to a command, or None if Redis does not answer in time.

        A command that is late is not cancelled: Redis may still count it, and a connection that is
        slow to open can serve the next one.
        """
        call = asyncio.ensure_future(command)
        call.add_done_callback(_retrieve_exception)
        await asyncio.wait([call], timeout=self._timeout_s)
        if call.done() and not isinstance(call.exception(), OUTAGES):
            metrics.rate_limits_degraded.set(0)
            return call.result()
        if self._clock() >= self._avoid_redis_until_s:
            log.warning("rate_limits.degraded", seconds=OUTAGE_PAUSE_S)
            self._avoid_redis_until_s = self._clock() + OUTAGE_PAUSE_S
        metrics.rate_limits_degraded.set(1)
        return None


class _OwnCounts:
    """What one process has counted: the script's rules, for the time without Redis."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times_s: dict[tuple[str, str], deque[float]] = {}
        self._periods_s: dict[str, float] = {}
        self._sweep_at = SWEEP_AT

    def count(self, counted: Sequence[Counted]) -> list[float]:
        """Count an action like the script. Return for each limit how long to wait, in seconds."""
        waits_s = [self._wait_s(limit, subject) for limit, subject in counted]
        for limit, subject in counted:
            if limit.counts_refused or not any(waits_s):
                self._record(limit, subject, 1)
        return waits_s

    def add(self, limit: RateLimit, subject: str, count: int) -> float:
        """Count actions that have taken place. Return how long the next one must wait."""
        self._record(limit, subject, count)
        return self._wait_s(limit, subject)

    def forget(self, limit: RateLimit, subject: str) -> None:
        self._times_s.pop((limit.name, subject), None)

    def _wait_s(self, limit: RateLimit, subject: str) -> float:
        times_s = self._times_s.get((limit.name, subject), ())
        if len(times_s) < limit.room:
            return 0.0
        period_s = limit.rate.period.total_seconds()
        return max(0.0, times_s[-limit.room] + period_s - self._clock())

    def _record(self, limit: RateLimit, subject: str, count: int) -> None:
        max_count, period = limit.rate
        self._periods_s[limit.name] = period.total_seconds()
        times_s = self._times_s.setdefault((limit.name, subject), deque(maxlen=max_count))
        times_s.extend([self._clock()] * min(count, max_count))
        if len(self._times_s) > self._sweep_at:
            self._sweep()

    def _sweep(self) -> None:
        """Forget the subjects without an action in the last period."""
        now_s = self._clock()
        self._times_s = {
            (name, subject): times_s
            for (name, subject), times_s in self._times_s.items()
            if times_s[-1] + self._periods_s[name] > now_s
        }
        self._sweep_at = 2 * len(self._times_s) + SWEEP_AT


@asynccontextmanager
async def open_rate_limiter(redis: Redis, secret: str) -> AsyncIterator[RateLimiter]:
    """Open a limiter whose batched counts are flushed while the block runs."""
    limiter = RateLimiter(redis, secret)
    flushing = asyncio.create_task(limiter.run(), name="rate-limits")
    try:
        yield limiter
    finally:
        await cancel_all([flushing])


def _key(secret: str, limit: RateLimit, subject: str) -> str:
    digest = hmac.digest(secret.encode(), f"{limit.name}\0{subject}".encode(), "sha256")
    return f"activelog:limit:{limit.name}:{digest[:16].hex()}"


def _too_many(wait_s: float) -> TooMany:
    return TooMany("Too many requests. Try again later.", retry_after=ceil(wait_s))


def _retrieve_exception(call: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a command that nobody awaits any more, so that asyncio does not
    report it."""
    if not call.cancelled():
        call.exception()
