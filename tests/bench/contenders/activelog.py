"""ActiveLog: jobs are enqueued as the API enqueues them, and run by the real worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import islice
from time import monotonic_ns
from typing import Literal

from app import jobs
from app.jobs import Job
from app.jobs.admin import statements
from app.jobs.admin.jobs import cancel_job
from app.jobs.redis_queue import queue_key
from app.resources import Resources, open_resources
from app.settings import Settings
from tests.bench.contenders.contender import Work
from tests.bench.environment import Environment

BATCH = 500


class Noop(Job, frozen=True):
    """Records stamps, sleeps for `seconds`, and writes nothing to Postgres itself."""

    kind = "bench:noop"

    number: int
    seconds: float = 0


class CriticalNoop(Noop, frozen=True):
    kind = "bench:critical"
    queue = "critical"


class LowNoop(Noop, frozen=True):
    kind = "bench:low"
    queue = "low"


class OtherNoop(Noop, frozen=True):
    """Another kind in the default queue."""

    kind = "bench:other"


TYPES: Mapping[str, type[Noop]] = {
    "critical": CriticalNoop, "default": Noop, "low": LowNoop, "other": OtherNoop,
}  # fmt: skip
"""The job types, by queue; `other` is a second kind in the default queue."""

FILL_BATCH = 10_000
FILL = """
insert into jobs (kind, queue, payload)
select $1, $2, jsonb_build_object('number', n) from generate_series(1, $3::int) as n
"""
WRITTEN = "select sum(n_tup_ins + n_tup_upd + n_tup_del)::int8 from pg_stat_user_tables"


class ActiveLog:
    name = "ActiveLog"
    program = ("-m", "arq", "tests.bench.contenders.activelog_worker.WorkerSettings")

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def environ(self, slots: int) -> Mapping[str, str]:
        return {"WORKER_SLOTS": str(slots)}

    async def clear(self) -> None:
        await self._resources.database.execute(
            "truncate jobs, job_attempts, workers, breakers, pauses cascade"
        )
        await self._resources.redis.flushdb()
        await self._resources.database.execute("checkpoint")

    async def enqueue(self, works: Sequence[Work]) -> None:
        left = iter(works)
        while batch := list(islice(left, BATCH)):
            async with self._resources.database.transaction() as tx:
                for work in batch:
                    await jobs.enqueue(tx, TYPES[work.queue](work.number, work.seconds))
        await self._resources.dispatcher.flush()

    async def enqueue_one(self, work: Work) -> None:
        async with self._resources.database.transaction() as tx:
            await jobs.enqueue(tx, TYPES[work.queue](work.number, work.seconds))

    async def enqueue_later(self, work: Work, seconds: float) -> int:
        """Enqueue a job due in `seconds`. Return its due time in ns on the monotonic clock."""
        async with self._resources.database.transaction() as tx:
            now = await tx.fetchval("select clock_timestamp()")
            due = monotonic_ns() + int(seconds * 1e9)
            job = TYPES[work.queue](work.number, work.seconds)
            await jobs.enqueue(tx, job, run_at=now + timedelta(seconds=seconds))
        return due

    async def cancel(self, number: int) -> None:
        """Cancel a job as an operator does."""
        async with self._resources.database.transaction() as tx:
            job_id = await tx.fetchval(
                "select id from jobs where (payload->>'number')::int = $1", number
            )
            await cancel_job(tx, job_id, by="bench")

    async def fill(self, count: int, queue: str) -> None:
        """Insert many waiting jobs, of which Redis learns only from the relay."""
        job_type = TYPES[queue]
        for _ in range(0, count, FILL_BATCH):
            await self._resources.database.execute(FILL, job_type.kind, job_type.queue, FILL_BATCH)

    async def pause(self, what: Literal["queue", "kind"], name: str) -> None:
        """Pause a queue or a kind, as an operator does."""
        async with self._resources.database.transaction() as tx:
            await statements.pause(tx, what=what, name=name)

    async def resume(self, what: Literal["queue", "kind"], name: str) -> None:
        async with self._resources.database.transaction() as tx:
            await statements.resume(tx, what=what, name=name)

    async def ids_in_redis(self, queue: str) -> int:
        return int(await self._resources.redis.zcard(queue_key(queue)))

    async def flush_redis(self) -> None:
        await self._resources.redis.flushall()

    async def rows_written(self) -> int:
        """Return how many rows have been written to all tables so far."""
        return int(await self._resources.database.fetchval(WRITTEN))

    async def unfinished(self) -> int:
        return int(
            await self._resources.database.fetchval(
                "select count(*) from jobs where state not in ('done', 'cancelled')"
            )
        )

    async def process_ids(self, number: int) -> list[int]:
        """Return the ids of the processes that run this job, according to Postgres."""
        rows = await self._resources.database.fetch(
            "select pid from workers join jobs on worker_id = workers.id"
            " where state = 'running' and (payload->>'number')::int = $1",
            number,
        )
        return [row["pid"] for row in rows]


@asynccontextmanager
async def open_activelog(environment: Environment) -> AsyncIterator[ActiveLog]:
    settings = Settings.from_env(environment.environ)
    async with open_resources(settings, process="activelog-bench") as resources:
        yield ActiveLog(resources)
