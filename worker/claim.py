"""Claiming: ids are drawn from Redis by the queues' weights, and their rows taken in Postgres."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID, uuid4

import structlog

from app import metrics
from app.errors import Unavailable
from app.jobs import statements
from app.jobs.job import JobId, Queue
from app.jobs.redis_queue import JOB_KEY, QUEUES, WAKEUP_KEY, Dispatcher, queue_key
from app.jobs.rows import Claimed
from app.postgres.database import Database, Dispatch
from app.redis import OUTAGES, Redis

log = structlog.get_logger()

GOLDEN = (5**0.5 - 1) / 2
"""Steps of this length, taken round a circle, fall evenly however many are taken: the shares of the
queues come out within a fraction of a percent, where random draws stray by three points in a
thousand. They need no random numbers, which are the same at every call in some servers' scripts."""

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
    point = (point + {GOLDEN!r}) % 1
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
"""Pops at most so many ids, each chosen among the queues that still have some by their weights.
A queue gives no more than its room (0: paused). What is left over rings the bell for others."""


class Claimer:
    """Takes jobs for one worker.

    An id leaves Redis when it is drawn. If its row is then not taken, because the worker dies or
    Postgres is away, the relay finds the row unclaimed and brings the id again.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis,
        dispatcher: Dispatcher,
        worker_id: UUID,
        weights: Mapping[str, int],
        start: float,
    ) -> None:
        """`start` is a random number from [0, 1), so that workers do not draw in step."""
        self._database = database
        self._dispatcher = dispatcher
        self._pop_script = redis.register_script(POP)
        self._worker_id = worker_id
        self._weights = [weights[queue] for queue in QUEUES]
        self._keys = [*map(queue_key, QUEUES), WAKEUP_KEY]
        self._point = start

    async def pop(self, slots: int, capacity: Mapping[Queue, int]) -> list[JobId]:
        """Take ids out of Redis for that many slots, from no queue more than its room.

        Raises:
            redis.RedisError: Redis is away. Nothing was drawn.
        """
        ids = await self._pop_script(
            keys=self._keys,
            args=[JOB_KEY, slots, self._point, *self._weights, *(capacity[q] for q in QUEUES)],
        )
        metrics.pops.inc()
        metrics.popped.inc(len(ids))
        self._point = (self._point + slots * GOLDEN) % 1
        return [JobId(UUID(job_id.decode())) for job_id in ids]

    async def claim(self, ids: list[JobId]) -> list[Claimed]:
        """Take the rows; a reply that was lost is asked for again under the same token.

        Raises:
            Unavailable: Postgres is unreachable. The next heartbeat finds what was claimed anyway.
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
            await self._requeue(set(ids) - {job.id for job in claimed})
        return claimed

    async def _requeue(self, ids: Collection[JobId]) -> None:
        """Return to Redis what was drawn while its row was locked, by the relay, say.

        Otherwise it would wait until the relay misses it, five seconds later.
        """
        try:
            waiting = await statements.still_waiting(self._database, ids=list(ids))
            if waiting:
                await self._dispatcher.add([Dispatch(job.queue, job.id) for job in waiting])
        except (Unavailable, *OUTAGES) as error:
            log.warning("claim.requeue_failed", jobs=len(ids), error=type(error).__name__)
