"""ActiveLog: jobs are enqueued as the API enqueues them, and run by the real worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import islice
from time import monotonic_ns

from app import jobs
from app.jobs import Job
from app.jobs.admin.jobs import cancel_job
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


TYPES: Mapping[str, type[Noop]] = {"critical": CriticalNoop, "default": Noop, "low": LowNoop}


class ActiveLog:
    name = "ActiveLog"
    program = ("-m", "arq", "tests.bench.contenders.activelog_worker.WorkerSettings")

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def environ(self, slots: int) -> Mapping[str, str]:
        return {"WORKER_SLOTS": str(slots)}

    async def clear(self) -> None:
        await self._resources.database.execute("truncate jobs, job_attempts, workers")
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
