"""Claiming: ids are drawn from Redis by the queues' weights, and their rows taken in Postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID, uuid4

from app.errors import Unavailable
from app.jobs import statements
from app.jobs.job import JobId, Queue
from app.jobs.queues import BELL, JOB_KEY, QUEUES, queue_key
from app.jobs.record import Claimed
from app.redis import Redis
from app.transaction import Database

DRAW = """
local bell = KEYS[#KEYS]
local prefix, queues = ARGV[1], #KEYS - 1
local weight, left, taken = {}, {}, {}
for q = 1, queues do
    weight[q], taken[q] = tonumber(ARGV[1 + q]), 0
    left[q] = math.min(redis.call('ZCARD', KEYS[q]), tonumber(ARGV[1 + queues + q]))
end
for d = 2 + 2 * queues, #ARGV do
    local total = 0
    for q = 1, queues do if left[q] > 0 then total = total + weight[q] end end
    if total == 0 then break end
    local point = tonumber(ARGV[d]) * total
    for q = 1, queues do
        if left[q] > 0 then
            point = point - weight[q]
            if point < 0 then
                taken[q], left[q] = taken[q] + 1, left[q] - 1
                break
            end
        end
    end
end
local ids, waiting = {}, 0
for q = 1, queues do
    if taken[q] > 0 then
        local popped = redis.call('ZPOPMIN', KEYS[q], taken[q])
        for i = 1, #popped, 2 do
            ids[#ids + 1] = popped[i]
            redis.call('UNLINK', prefix .. popped[i])
        end
    end
    waiting = waiting + math.max(left[q], 0)
end
if #ids > 0 and waiting > 0 and redis.call('LLEN', bell) == 0 then
    redis.call('RPUSH', bell, 1)
end
return ids
"""
"""Pops at most as many ids as draws are passed, each draw choosing among the queues that still have
some by their weights. A queue gives no more than its room (0: paused). What is left over rings the
bell for another worker. The draws are passed in because a script's own random numbers are the same
at every call on some servers."""


class Claims:
    """Takes jobs for one worker.

    An id leaves Redis when it is drawn. If its row is then not taken, because the worker dies or
    Postgres is away, the relay finds the row unclaimed and brings the id again.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis,
        worker_id: UUID,
        weights: Mapping[str, int],
        draw: Callable[[], float],
    ) -> None:
        """`draw` gives a random number from [0, 1)."""
        self._database = database
        self._draw_script = redis.register_script(DRAW)
        self._worker_id = worker_id
        self._weights = [weights[queue] for queue in QUEUES]
        self._draw = draw

    async def take(self, slots: int, room: Mapping[Queue, int]) -> list[Claimed]:
        """Claim jobs for that many free slots, from no queue more than its room.

        Raises:
            redis.RedisError, OSError: Redis is away. Nothing was claimed.
        """
        ids = await self._draw_script(
            keys=[*map(queue_key, QUEUES), BELL],
            args=[
                JOB_KEY,
                *self._weights,
                *(room[queue] for queue in QUEUES),
                *(self._draw() for _ in range(slots)),
            ],
        )
        return await self.claim([JobId(UUID(job_id.decode())) for job_id in ids]) if ids else []

    async def claim(self, ids: list[JobId]) -> list[Claimed]:
        """Take the rows; a reply that was lost is asked for again under the same token."""
        token = uuid4()
        try:
            return await statements.claim(self._database, ids, self._worker_id, token)
        except Unavailable:
            return await statements.claim(self._database, ids, self._worker_id, token)
