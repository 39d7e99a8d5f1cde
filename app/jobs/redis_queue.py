"""The queues in Redis, under arq's own keys, and the dispatcher that adds job ids to them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from time import time
from typing import Any, get_args

import msgspec
import structlog
from arq.jobs import serialize_job

from app import metrics
from app.event_loop import cancel_all
from app.jobs.job import Queue
from app.postgres.database import Dispatch
from app.redis import OUTAGES, AsyncScript, Redis, ResponseError

log = structlog.get_logger()

QUEUES: tuple[Queue, ...] = get_args(Queue)

WAKEUP_KEY = "activelog:wakeup"
"""A list that idle workers block on. After a dispatch it holds an item until a worker wakes."""

EPOCH_KEY = "activelog:epoch"
"""A key that the relay sets. If it is missing, Redis is new or has lost its data."""

JOB_KEY_PREFIX = "arq:job:"
"""The prefix of the keys under which arq looks up what to call. A job's id follows it."""


def queue_key(queue: str) -> str:
    """Return the key for a queue: a sorted set of job ids, by dispatch time."""
    return f"arq:queue:{queue}"


def low_slots(slots: int) -> int:
    """Return how many slots the long jobs in `low` may use: 60%, but at least one."""
    return max(1, slots * 6 // 10)


ARQ_FUNCTION = "run"
"""The arq function that runs a job. Its argument is the job's id."""

FLUSH_BATCH = 500
"""The most ids that a flush sends to Redis at a time."""
MAX_PENDING = 100_000
"""The most ids kept in memory. If there are more, the oldest are left to the relay."""
JOB_TTL_MS = 7 * 24 * 3600 * 1000
"""How long Redis keeps a job's arq key. Our workers do not read it. A stock arq worker drops an id
whose key has expired, and the relay dispatches the job again."""

ADD = """
local wakeup, prefix, ttl = KEYS[#KEYS], ARGV[1], ARGV[2]
for i = 3, #ARGV, 4 do
    local key, id, score, job = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    redis.call('SET', prefix .. id, job, 'PX', ttl)
    redis.call('ZADD', key, 'NX', score, id)
end
if redis.call('LLEN', wakeup) == 0 then redis.call('RPUSH', wakeup, 1) end
"""


SET_ASIDE_PREFIX = "activelog:set-aside:"
"""The prefix of keys that had the wrong type. The key's former name follows it."""

SET_ASIDE = """
local found = {}
for i, key in ipairs(KEYS) do
    local type = redis.call('TYPE', key)['ok']
    if type ~= 'none' and type ~= ARGV[i] then
        redis.call('RENAME', key, ARGV[#ARGV] .. key)
        found[#found + 1] = key .. ' (' .. type .. ')'
    end
end
return found
"""
"""Rename the keys that have the wrong type, and return them. A key that was set aside before under
the same name is replaced, so that they cannot pile up."""


async def run_on_queues(redis: Redis, script: AsyncScript, args: Sequence[Any]) -> Any:
    """Run a script on the keys of the queues and the wakeup key.

    Somebody else may have written to Redis. If a key has the wrong type, rename it, and run the
    script again: the relay dispatches the ids again.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    keys = [*map(queue_key, QUEUES), WAKEUP_KEY]
    try:
        return await script(keys=keys, args=args)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
    set_aside = redis.register_script(SET_ASIDE)
    found = await set_aside(keys=keys, args=[*["zset"] * len(QUEUES), "list", SET_ASIDE_PREFIX])
    if found:  # another process may have been faster
        log.error("queue.keys_set_aside", keys=[key.decode() for key in found])
    return await script(keys=keys, args=args)


class Dispatcher:
    """A buffer that sends the ids of committed jobs to Redis, many at a time.

    `dispatch` never waits and never fails. While Redis is unavailable, ids are dropped: the jobs
    are safe in Postgres, and the relay dispatches them when Redis is back.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = redis.register_script(ADD)
        self._pending: deque[Dispatch] = deque(maxlen=MAX_PENDING)
        self._waiting = asyncio.Event()
        self._flushing = asyncio.Lock()

    def dispatch(self, dispatches: Sequence[Dispatch]) -> None:
        """Buffer ids to be sent. Call this after the jobs' transaction has committed."""
        self._pending.extend(dispatches)
        self._waiting.set()

    async def add(self, dispatches: Sequence[Dispatch]) -> None:
        """Add ids to the queues and wake a worker. Adding an id twice is harmless.

        Raises:
            redis.RedisError: Redis is unavailable; some ids may have been added.
        """
        now = int(time() * 1000)
        arguments: list[str | bytes | int] = [JOB_KEY_PREFIX, JOB_TTL_MS]
        for queue, job_id in dispatches:
            text = str(job_id)
            job = serialize_job(
                ARQ_FUNCTION, (text,), {}, None, now, serializer=msgspec.json.encode
            )
            arguments += [QUEUES.index(queue) + 1, text, now, job]
        await run_on_queues(self._redis, self._add, arguments)
        metrics.dispatched.inc(len(dispatches))

    async def run(self) -> None:
        """Flush ids as they are dispatched, until cancelled."""
        while True:
            await self._waiting.wait()
            await self.flush()

    async def flush(self) -> None:
        """Send the pending ids to Redis, or drop them if it is unavailable.

        If a flush is in progress, this waits for it first.
        """
        async with self._flushing:
            while batch := list(islice(self._pending, FLUSH_BATCH)):
                for _ in batch:
                    self._pending.popleft()
                try:
                    await self.add(batch)
                except OUTAGES as error:
                    log.warning("dispatcher.flush_failed", ids=len(batch), error=repr(error))
            self._waiting.clear()


@asynccontextmanager
async def open_dispatcher(redis: Redis) -> AsyncIterator[Dispatcher]:
    """Open a dispatcher. Leaving the block flushes the pending ids."""
    dispatcher = Dispatcher(redis)
    flusher = asyncio.create_task(dispatcher.run(), name="dispatcher")
    try:
        yield dispatcher
    finally:
        await cancel_all([flusher])
        await dispatcher.flush()
