"""The queues in Redis, under arq's own keys, and the dispatcher that adds job ids to them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from time import time
from typing import Any, get_args
from uuid import UUID

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

MARK_KEY = "activelog:mark"
"""The relay's mark: this Redis was given the ids of all jobs that were due by then."""

TAKERS_KEY = "activelog:takers"
"""A set of the workers that may have a key of taken ids."""

JOB_KEY_PREFIX = "arq:job:"
"""The prefix of the keys under which arq looks up what to call. A job's id follows it."""


def queue_key(queue: str) -> str:
    """Return the key for a queue: a sorted set of job ids, by `run_at`."""
    return f"arq:queue:{queue}"


def taken_key(worker_id: UUID) -> str:
    """Return the key for the ids that a worker has popped and may not have claimed yet."""
    return f"arq:taken:{worker_id}"


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

REMOVE = """
local prefix = ARGV[1]
for i = 2, #ARGV, 2 do
    redis.call('ZREM', KEYS[tonumber(ARGV[i])], ARGV[i + 1])
    redis.call('UNLINK', prefix .. ARGV[i + 1])
end
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
"""Rename the keys that have the wrong type, and return them. A key set aside earlier under the
same name is overwritten, so that such keys cannot pile up."""


async def run_on_queues(
    redis: Redis, script: AsyncScript, args: Sequence[Any], *, taken: str | None = None
) -> Any:
    """Run a script on the keys of the queues, the wakeup key, and a worker's taken ids, if any.

    If a key has the wrong type, set it aside, and run the script again: the relay dispatches the
    ids again.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    types = {**dict.fromkeys(map(queue_key, QUEUES), "zset"), WAKEUP_KEY: "list"}
    if taken is not None:
        types |= {taken: "zset", TAKERS_KEY: "set"}
    try:
        return await script(keys=[*types], args=args)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
    await set_aside_foreign_keys(redis, types)
    return await script(keys=[*types], args=args)


async def set_aside_foreign_keys(redis: Redis, types: Mapping[str, str]) -> None:
    """Rename the keys that do not have these types, because somebody else has written to Redis.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    script = redis.register_script(SET_ASIDE)
    found = await script(keys=[*types], args=[*types.values(), SET_ASIDE_PREFIX])
    if found:  # another process may have been faster
        metrics.foreign_keys.inc(len(found))
        log.error("queue.keys_set_aside", keys=[key.decode() for key in found])


class Dispatcher:
    """A buffer that sends the ids of committed jobs to Redis, many at a time.

    `dispatch` never waits and never fails. While Redis is unavailable, ids are dropped: the jobs
    are safe in Postgres, and the relay dispatches them when Redis is back.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = redis.register_script(ADD)
        self._remove = redis.register_script(REMOVE)
        self._pending: deque[Dispatch] = deque(maxlen=MAX_PENDING)
        self._waiting = asyncio.Event()
        self._flushing = asyncio.Lock()

    def dispatch(self, dispatches: Sequence[Dispatch]) -> None:
        """Buffer ids to be sent. Call this after the jobs' transaction has committed."""
        self._pending.extend(dispatches)
        self._waiting.set()

    async def add(self, dispatches: Sequence[Dispatch]) -> None:
        """Add ids to the queues and wake a worker. Adding an id twice is harmless.

        Jobs are popped in the order of their `run_at`, whenever they are added.

        Raises:
            redis.RedisError: Redis is unavailable; some ids may have been added.
        """
        now = int(time() * 1000)
        arguments: list[str | bytes | int] = [JOB_KEY_PREFIX, JOB_TTL_MS]
        for queue, job_id, run_at in dispatches:
            text, score = str(job_id), int(run_at.timestamp() * 1000)
            job = serialize_job(
                ARQ_FUNCTION, (text,), {}, None, now, serializer=msgspec.json.encode
            )
            arguments += [QUEUES.index(queue) + 1, text, score, job]
        await run_on_queues(self._redis, self._add, arguments)
        metrics.dispatched.inc(len(dispatches))

    async def remove(self, dispatches: Sequence[Dispatch]) -> None:
        """Take ids out of the queues.

        Raises:
            redis.RedisError: Redis is unavailable; some ids may have been removed.
        """
        arguments: list[str | int] = [JOB_KEY_PREFIX]
        for queue, job_id, _ in dispatches:
            arguments += [QUEUES.index(queue) + 1, str(job_id)]
        await run_on_queues(self._redis, self._remove, arguments)

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
