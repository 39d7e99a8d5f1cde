"""Claiming: pop ids from Redis by the queues' weights, and claim their rows in Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, cast
from uuid import UUID, uuid4

import structlog

from app import metrics
from app.errors import Unavailable
from app.jobs import statements
from app.jobs.job import JobId, Queue
from app.jobs.redis_queue import (
    JOB_KEY_PREFIX,
    QUEUES,
    TAKERS_KEY,
    Dispatcher,
    run_on_queues,
    set_aside_foreign_keys,
    taken_key,
)
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database, Dispatch
from app.redis import OUTAGES, Redis

log = structlog.get_logger()

LOCKED_DELAY_S = 0.5
"""Seconds before this worker pops again if all jobs that it popped were locked by others."""

GOLDEN_RATIO = (5**0.5 - 1) / 2
"""The length of a step around a circle of circumference 1, divided among the queues by weight. Each
id is popped from the queue at the next point. Steps of this length spread the points evenly,
however many there are, so each queue gets its share to within a fraction of a percent. With random
choices, the shares could be three percentage points off after a thousand pops. Also, some Redis
servers give scripts the same random numbers on every call."""

POP = f"""
local wakeup_key, taken_key, takers_key = KEYS[#KEYS - 2], KEYS[#KEYS - 1], KEYS[#KEYS]
local prefix, worker, slots, point = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local queues = #KEYS - 3
local resolved = 5 + 2 * queues
if #ARGV >= resolved then redis.call('ZREM', taken_key, unpack(ARGV, resolved)) end
local ids, keys, waiting = redis.call('ZRANGE', taken_key, 0, -1), {{}}, 0
slots = slots - #ids
redis.call('SADD', takers_key, worker)
local weight, left, taken = {{}}, {{}}, {{}}
for q = 1, queues do
    weight[q], taken[q] = tonumber(ARGV[4 + q]), 0
    left[q] = math.min(redis.call('ZCARD', KEYS[q]), tonumber(ARGV[4 + queues + q]))
end
for d = 1, slots do
    local total = 0
    for q = 1, queues do if left[q] > 0 then total = total + weight[q] end end
    if total == 0 then break end
    point = (point + {GOLDEN_RATIO!r}) % 1
    local rest = point * total
    for q = 1, queues do
        if left[q] > 0 then
            rest = rest - weight[q]
            if rest < 0 then
                taken[q], left[q] = taken[q] + 1, left[q] - 1
                break
            end
        end
    end
end
for q = 1, queues do
    if taken[q] > 0 then
        local popped = redis.call('ZPOPMIN', KEYS[q], taken[q])
        for i = 1, #popped, 2 do
            redis.call('ZADD', taken_key, popped[i + 1], popped[i])
            ids[#ids + 1] = popped[i]
            keys[#keys + 1] = prefix .. popped[i]
        end
    end
    waiting = waiting + math.max(left[q], 0)
end
if #keys > 0 then
    redis.call('UNLINK', unpack(keys))
    if waiting > 0 and redis.call('LLEN', wakeup_key) == 0 then
        redis.call('RPUSH', wakeup_key, 1)
    end
end
return ids
"""
"""Pop ids until the worker has `slots` ids, each from a queue chosen by weight among those that
still have ids, but no more from a queue than its capacity (0 if paused). Popped ids move to the
worker's taken ids. Those that it has resolved since the last pop are removed from there; those that
are left, because a reply was lost or a claim failed, are returned first. If more slots could have
popped more ids, wake another worker."""


class Claims(NamedTuple):
    """The jobs that were claimed, and how many ids were popped for them."""

    jobs: Sequence[ClaimedJob]
    popped: int


class Claimer:
    """One worker's claimer, which pops ids and claims their jobs.

    A popped id stays among the worker's taken ids until its job has been claimed. The next pop
    returns it again if the claim failed. If the worker ends first, `return_taken_ids` dispatches
    it again.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis,
        dispatcher: Dispatcher,
        worker_id: UUID,
        weights: Mapping[str, int],
        start_point: float,
    ) -> None:
        """`start_point` is a random number in [0, 1), so that workers do not pop in step."""
        self._database = database
        self._dispatcher = dispatcher
        self._redis = redis
        self._pop_script = redis.register_script(POP)
        self._worker_id = worker_id
        self._weights = [weights[queue] for queue in QUEUES]
        self._point = start_point
        self._resolved: list[str | bytes] = []
        """The taken ids whose jobs were claimed or found not to be waiting since the last pop."""

    async def pop(self, slots: int, capacity: Mapping[Queue, int]) -> list[JobId]:
        """Pop ids for this many slots, but no more from a queue than its capacity.

        Entries that are not ids, which somebody else has put there, are dropped and counted.

        Raises:
            redis.RedisError: Redis is unavailable. If ids were popped anyway, the next pop returns
                them.
        """
        resolved = self._resolved
        ids = await run_on_queues(
            self._redis,
            self._pop_script,
            [
                JOB_KEY_PREFIX,
                str(self._worker_id),
                slots,
                self._point,
                *self._weights,
                *(capacity[q] for q in QUEUES),
                *resolved,
            ],
            taken=taken_key(self._worker_id),
        )
        self._resolved = []
        metrics.pops.inc()
        metrics.popped.inc(len(ids))
        self._point = (self._point + slots * GOLDEN_RATIO) % 1
        foreign = [text for text in ids if parse_id(text) is None]
        metrics.foreign_ids.inc(len(foreign))
        self._resolved += foreign
        return [JobId(found) for text in ids if (found := parse_id(text))]

    async def claim_next(self, slots: int, capacity: Mapping[Queue, int]) -> Claims:
        """Pop ids, and claim their jobs.

        Raises:
            Unavailable: Postgres is unavailable. The next call claims the same jobs. Later
                heartbeats release any jobs claimed anyway.
            redis.RedisError: Redis is unavailable.
        """
        ids = await self.pop(slots, capacity)
        claimed = await self.claim(ids) if ids else []
        unclaimed = set(ids) - {job.id for job in claimed}
        if not unclaimed or await self._put_back_locked(unclaimed, wait=not claimed):
            self._resolved += map(str, ids)
        else:
            self._resolved += [str(job.id) for job in claimed]
        return Claims(claimed, popped=len(ids))

    async def claim(self, ids: list[JobId]) -> list[ClaimedJob]:
        """Claim the jobs with these ids. If Postgres is unavailable, retry once.

        The retry uses the same token. If the first try succeeded but its reply was lost, the retry
        therefore returns the same jobs.

        Raises:
            Unavailable: Postgres is unavailable. Later heartbeats release any jobs claimed anyway.
        """
        token = uuid4()
        try:
            return await self._claim(ids, token)
        except Unavailable:
            return await self._claim(ids, token)

    async def _claim(self, ids: list[JobId], token: UUID) -> list[ClaimedJob]:
        return await statements.claim(
            self._database, ids=ids, worker_id=self._worker_id, token=token
        )

    async def _put_back_locked(self, ids: Collection[JobId], *, wait: bool) -> bool:
        """Put the ids of due jobs back into Redis if somebody else has locked their rows.

        They go behind all jobs that are due now, so that the others are claimed first.

        Args:
            wait: whether to wait first, so that this worker does not pop them over and over.

        Returns:
            False if Postgres or Redis is unavailable. The ids are then still taken.
        """
        try:
            waiting = await statements.still_waiting(self._database, ids=list(ids))
            if waiting and wait:
                await asyncio.sleep(LOCKED_DELAY_S)
            if waiting:
                now = datetime.now(UTC)
                await self._dispatcher.add([Dispatch(job.queue, job.id, now) for job in waiting])
        except (Unavailable, *OUTAGES) as error:
            log.warning("claim.put_back_failed", ids=len(ids), error=repr(error))
            return False
        return True


def parse_id(text: bytes) -> UUID | None:
    """Return the id, or None if the text is not one: somebody else may have written it."""
    try:
        return UUID(text.decode())
    except ValueError:
        return None


async def return_taken_ids(
    database: Database, redis: Redis, dispatcher: Dispatcher, worker_id: UUID
) -> int:
    """Dispatch again the ids that a worker took and whose jobs are still waiting; return how many.

    Call this when the worker has stopped.

    Raises:
        redis.RedisError, Unavailable: Redis or Postgres is unavailable. Call again to continue.
    """
    key = taken_key(worker_id)
    await set_aside_foreign_keys(redis, {key: "zset"})
    found = await redis.zrange(key, 0, -1)
    ids = [JobId(job_id) for text in found if (job_id := parse_id(text))]
    waiting = await statements.still_waiting(database, ids=ids) if ids else []
    if waiting:
        await dispatcher.add([Dispatch(job.queue, job.id, job.run_at) for job in waiting])
    await redis.unlink(key)
    await cast("Awaitable[int]", redis.srem(TAKERS_KEY, str(worker_id)))
    return len(waiting)
