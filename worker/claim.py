"""Claiming: pop ids from Redis by the queues' weights, and claim their rows in Postgres."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID, uuid4

import structlog

from app import metrics
from app.errors import Unavailable
from app.jobs import statements
from app.jobs.job import JobId, Queue
from app.jobs.redis_queue import JOB_KEY_PREFIX, QUEUES, Dispatcher, run_on_queues
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database, Dispatch
from app.redis import OUTAGES, Redis

log = structlog.get_logger()

GOLDEN_RATIO = (5**0.5 - 1) / 2
"""The length of a step around a circle of circumference 1, divided among the queues by weight. Each
id is popped from the queue at the next point. Steps of this length spread the points evenly,
however many there are, so each queue gets its share to within a fraction of a percent. With random
choices, the shares could be three percentage points off after a thousand pops. Also, some Redis
servers give scripts the same random numbers on every call."""

POP = f"""
local wakeup_key, prefix, slots, point = KEYS[#KEYS], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local queues = #KEYS - 1
local weight, left, taken = {{}}, {{}}, {{}}
for q = 1, queues do
    weight[q], taken[q] = tonumber(ARGV[3 + q]), 0
    left[q] = math.min(redis.call('ZCARD', KEYS[q]), tonumber(ARGV[3 + queues + q]))
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
local ids, keys, waiting = {{}}, {{}}, 0
for q = 1, queues do
    if taken[q] > 0 then
        local popped = redis.call('ZPOPMIN', KEYS[q], taken[q])
        for i = 1, #popped, 2 do
            ids[#ids + 1] = popped[i]
            keys[#keys + 1] = prefix .. popped[i]
        end
    end
    waiting = waiting + math.max(left[q], 0)
end
if #ids > 0 then
    redis.call('UNLINK', unpack(keys))
    if waiting > 0 and redis.call('LLEN', wakeup_key) == 0 then
        redis.call('RPUSH', wakeup_key, 1)
    end
end
return ids
"""
"""Pop at most `slots` ids, each from a queue chosen by weight among those that still have ids, but
no more from a queue than its capacity (0 if paused). If more slots could have popped more ids, wake
another worker."""


class Claimer:
    """One worker's claimer, which pops ids and claims their jobs.

    Popping an id removes it from Redis. If the job is not claimed afterwards, because the worker
    dies or Postgres is unavailable, the relay finds the job's row and dispatches the id again.
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

    async def pop(self, slots: int, capacity: Mapping[Queue, int]) -> list[JobId]:
        """Pop ids for this many slots, but no more from a queue than its capacity.

        Entries that are no ids, and that somebody else has put there, are dropped and counted.

        Raises:
            redis.RedisError: Redis is unavailable. If ids were popped anyway, the relay dispatches
                them again.
        """
        ids = await run_on_queues(
            self._redis,
            self._pop_script,
            [
                JOB_KEY_PREFIX,
                slots,
                self._point,
                *self._weights,
                *(capacity[q] for q in QUEUES),
            ],
        )
        metrics.pops.inc()
        metrics.popped.inc(len(ids))
        self._point = (self._point + slots * GOLDEN_RATIO) % 1
        return [job_id for text in ids if (job_id := _parse_id(text))]

    async def claim(self, ids: list[JobId]) -> list[ClaimedJob]:
        """Claim the jobs with these ids. If Postgres is unavailable, retry once.

        The retry uses the same token. If the first try succeeded but its reply was lost, the retry
        therefore returns the same jobs.

        Raises:
            Unavailable: Postgres is unavailable. Later heartbeats release any jobs claimed anyway.
        """
        token = uuid4()
        try:
            claimed = await statements.claim(
                self._database, ids=ids, worker_id=self._worker_id, token=token
            )
        except Unavailable:
            claimed = await statements.claim(
                self._database, ids=ids, worker_id=self._worker_id, token=token
            )
        if len(claimed) < len(ids):
            await self._dispatch_again(set(ids) - {job.id for job in claimed})
        return claimed

    async def _dispatch_again(self, ids: Collection[JobId]) -> None:
        """Put the ids of due jobs back into Redis if their rows were locked, perhaps by the relay.

        Otherwise these jobs could wait five seconds for the relay to dispatch them.
        """
        try:
            waiting = await statements.still_waiting(self._database, ids=list(ids))
            if waiting:
                await self._dispatcher.add([Dispatch(job.queue, job.id) for job in waiting])
        except (Unavailable, *OUTAGES) as error:
            log.warning("claim.dispatch_failed", ids=len(ids), error=repr(error))


def _parse_id(text: bytes) -> JobId | None:
    """Return the id, or None if the text, which somebody else may have written, is none."""
    try:
        return JobId(UUID(text.decode()))
    except ValueError:
        metrics.foreign_ids.inc()
        return None
