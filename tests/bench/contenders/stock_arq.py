"""Stock arq: everything in Redis, nothing durable. Job results are not stored, which is faster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from arq.connections import ArqRedis, RedisSettings, create_pool

from tests.bench.contenders.contender import Work
from tests.bench.environment import Environment

DATABASE = 1
"""The number of the Redis database; ActiveLog uses another."""
BATCH = 200


class StockArq:
    program = (
        "-m",
        "arq",
        "tests.bench.contenders.stock_arq_worker.WorkerSettings",
        "--custom-log-dict",
        "tests.bench.contenders.stock_arq_worker.QUIET",
    )

    def __init__(self, name: str, redis: ArqRedis, poll_delay: float) -> None:
        self.name = name
        self._redis = redis
        self._poll_delay = poll_delay

    def environ(self, slots: int) -> Mapping[str, str]:
        return {"BENCH_SLOTS": str(slots), "BENCH_POLL_DELAY": str(self._poll_delay)}

    async def clear(self) -> None:
        await self._redis.flushdb()

    async def enqueue(self, works: Sequence[Work]) -> None:
        for start in range(0, len(works), BATCH):
            batch = works[start : start + BATCH]
            await asyncio.gather(*(self.enqueue_one(work) for work in batch))

    async def enqueue_one(self, work: Work) -> None:
        await self._redis.enqueue_job("noop", work.number, work.seconds)

    async def unfinished(self) -> int:
        return int(await self._redis.zcard("arq:queue"))


def arq_redis(environ: Mapping[str, str]) -> RedisSettings:
    settings = RedisSettings.from_dsn(environ["REDIS_URL"])
    settings.database = DATABASE
    return settings


@asynccontextmanager
async def open_stock_arq(environment: Environment) -> AsyncIterator[tuple[StockArq, StockArq]]:
    """Yield arq with its defaults, and arq tuned to poll every 10 ms."""
    redis = await create_pool(arq_redis(environment.environ))
    try:
        yield StockArq("arq, default", redis, 0.5), StockArq("arq, poll_delay=0.01", redis, 0.01)
    finally:
        await redis.aclose()
