"""Pops are shared among the queues by weight and capacity, on a real Redis and Postgres."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from uuid import uuid4

import pytest

from app import jobs
from app.jobs.job import Job, JobId, Queue
from app.jobs.redis_queue import QUEUES
from app.postgres.database import Database
from app.resources import Resources
from tests.support.sample_jobs import BEHAVIOURS, CriticalSampleJob, LowSampleJob, SampleJob
from tests.support.working import eventually, running_worker
from worker.claim import Claimer

KINDS: Mapping[Queue, type[SampleJob]] = {
    "critical": CriticalSampleJob,
    "default": SampleJob,
    "low": LowSampleJob,
}
WEIGHTS = {"critical": 6, "default": 3, "low": 1}
CAPACITY: Mapping[Queue, int] = dict.fromkeys(QUEUES, 10)


class FilledQueues:
    """Queues with jobs in them, and a record of each job's queue."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._queues: dict[JobId, Queue] = {}

    async def fill(self, **counts: int) -> None:
        """Enqueue and dispatch this many jobs in each queue."""
        for queue, count in counts.items():
            batch: list[Job] = [KINDS[queue]("a") for _ in range(count)]  # type: ignore[index] # str
            async with self._resources.database.transaction() as tx:
                await jobs.enqueue_all(tx, batch)
        await self._resources.dispatcher.flush()
        rows = await self._resources.database.fetch("select id, queue from jobs")
        self._queues = {row["id"]: row["queue"] for row in rows}

    def claimer(self, weights: Mapping[str, int] = WEIGHTS) -> Claimer:
        """Return a claimer that the tests use only to pop."""
        resources = self._resources
        return Claimer(
            resources.engine_database,
            resources.redis,
            resources.dispatcher,
            uuid4(),
            weights,
            start_point=0.3,
        )

    def count(self, ids: list[JobId]) -> Counter[str]:
        return Counter(self._queues[job_id] for job_id in ids)


@pytest.fixture
def filled(resources: Resources) -> FilledQueues:
    return FilledQueues(resources)


@pytest.mark.parametrize("slots", [1, 3, 10])
@pytest.mark.parametrize("weights", [WEIGHTS, {"critical": 1, "default": 1, "low": 8}])
async def test_queues_share_a_thousand_pops_by_weight(
    filled: FilledQueues, slots: int, weights: Mapping[str, int]
) -> None:
    await filled.fill(critical=850, default=850, low=850)
    claimer = filled.claimer(weights)
    popped: Counter[str] = Counter()
    while popped.total() < 1000:
        popped += filled.count(await claimer.pop(slots, CAPACITY))
    for queue, weight in weights.items():
        assert abs(popped[queue] - weight * popped.total() / 10) <= 30


async def test_other_queues_get_the_share_of_an_empty_queue(filled: FilledQueues) -> None:
    await filled.fill(default=6, low=20)
    popped = filled.count(await filled.claimer().pop(20, CAPACITY))
    assert popped == {"default": 6, "low": 10}


async def test_pops_from_a_queue_never_exceed_its_capacity(filled: FilledQueues) -> None:
    await filled.fill(critical=2, low=20)
    popped = filled.count(await filled.claimer().pop(10, {**CAPACITY, "low": 6}))
    assert popped == {"critical": 2, "low": 6}
    assert filled.count(await filled.claimer().pop(10, {**CAPACITY, "low": 0})) == {}


async def test_jobs_in_low_use_at_most_six_of_ten_slots(
    database: Database, resources: Resources, filled: FilledQueues
) -> None:
    max_running = 0

    async def count_running(run: jobs.Run, _: Resources) -> None:
        nonlocal max_running
        max_running = max(max_running, len(engine.slots.running))
        await asyncio.sleep(0.2)

    BEHAVIOURS["a"] = count_running
    await filled.fill(low=20)
    done = "select count(*) from jobs where state = 'done'"
    async with running_worker(resources) as engine:
        await eventually(lambda: database.fetchval(done), 20)
    assert max_running == 6
