"""The queues in Redis, under arq's own keys, and adding job ids to them after a commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from time import time
from typing import get_args

import msgspec
import structlog
from arq.jobs import serialize_job

from app import metrics
from app.event_loop import cancel_all
from app.jobs.job import Queue
from app.postgres.database import Dispatch
from app.redis import OUTAGES, Redis

QUEUES: tuple[Queue, ...] = get_args(Queue)

WAKEUP_KEY = "activelog:bell"
"""A list that holds an item while jobs wait that nobody has been woken for."""

EPOCH = "activelog:epoch"
"""Exists as long as Redis has not lost what it held."""


JOB_KEY = "arq:job:"
"""Before the id: the key under which arq looks for what to call."""


def queue_key(queue: str) -> str:
    """The sorted set of the ids that wait, scored by when they became due."""
    return f"arq:queue:{queue}"


def low_slots(slots: int) -> int:
    """How many slots the long jobs of `low` may hold: 6 of 10, and always at least one."""
    return max(1, slots * 6 // 10)


log = structlog.get_logger()

FUNCTION = "run"
"""The one arq function: it takes the id of a job."""

MOST_AT_ONCE = 500
MOST_PENDING = 100_000
LIFE = 7 * 24 * 3600 * 1000
"""Milliseconds that Redis keeps an id that nobody claims; the relay would bring it again."""

ADD = """
local wakeup_key, prefix, life = KEYS[#KEYS], ARGV[1], ARGV[2]
for i = 3, #ARGV, 4 do
    local key, id, score, job = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    redis.call('SET', prefix .. id, job, 'PX', life)
    redis.call('ZADD', key, 'NX', score, id)
end
if redis.call('LLEN', wakeup_key) == 0 then redis.call('RPUSH', wakeup_key, 1) end
"""


class Dispatcher:
    """Takes the jobs of committed transactions and brings them to Redis, many at a time.

    `dispatch` never waits and never fails. While Redis is unreachable ids are dropped: the rows are
    safe in Postgres, and the relay dispatches them when Redis is back.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = redis.register_script(ADD)
        self._pending: deque[Dispatch] = deque(maxlen=MOST_PENDING)
        self._waiting = asyncio.Event()
        self._flushing = asyncio.Lock()

    def dispatch(self, dispatches: Sequence[Dispatch]) -> None:
        self._pending.extend(dispatches)
        self._waiting.set()

    async def add(self, dispatches: Sequence[Dispatch]) -> None:
        """Put ids where the workers look. Putting one twice is harmless.

        Raises:
            redis.RedisError: Redis is away; some may have arrived.
        """
        now = int(time() * 1000)
        arguments: list[str | bytes | int] = [JOB_KEY, LIFE]
        for queue, job_id in dispatches:
            text = str(job_id)
            job = serialize_job(FUNCTION, (text,), {}, None, now, serializer=msgspec.json.encode)
            arguments += [QUEUES.index(queue) + 1, text, now, job]
        await self._add(keys=[*map(queue_key, QUEUES), WAKEUP_KEY], args=arguments)
        metrics.dispatched.inc(len(dispatches))

    async def run(self) -> None:
        """Flush what has departed, until cancelled."""
        while True:
            await self._waiting.wait()
            await self.flush()

    async def flush(self) -> None:
        """Send what is pending to Redis, or drop it. Waits for a flush in progress."""
        async with self._flushing:
            while batch := list(islice(self._pending, MOST_AT_ONCE)):
                for _ in batch:
                    self._pending.popleft()
                try:
                    await self.add(batch)
                except OUTAGES as error:
                    log.warning("dispatcher.dropped", jobs=len(batch), error=type(error).__name__)
            self._waiting.clear()


@asynccontextmanager
async def open_dispatcher(redis: Redis) -> AsyncIterator[Dispatcher]:
    """A dispatch whose flusher runs as long as the block. What is pending at its end is flushed."""
    dispatcher = Dispatcher(redis)
    flusher = asyncio.create_task(dispatcher.run(), name="dispatcher")
    try:
        yield dispatcher
    finally:
        await cancel_all([flusher])
        await dispatcher.flush()
