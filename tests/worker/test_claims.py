"""Pops are shared among the queues by weight and capacity, on a real Redis and Postgres."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from uuid import uuid4

import pytest

from app import jobs
from app.errors import Unavailable
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

    async def pop(
        self, claimer: Claimer, slots: int, capacity: Mapping[Queue, int] = CAPACITY
    ) -> Counter[str]:
        """Pop ids as if all earlier ones had been claimed, and count them by queue."""
        (taken,) = await self._resources.redis.keys("arq:taken:*") or [b"none"]
        await self._resources.redis.delete(taken)
        return self.count(await claimer.pop(slots, capacity))

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
        popped += await filled.pop(claimer, slots)
    for queue, weight in weights.items():
        assert abs(popped[queue] - weight * popped.total() / 10) <= 30


async def test_other_queues_get_the_share_of_an_empty_queue(filled: FilledQueues) -> None:
    await filled.fill(default=6, low=20)
    popped = await filled.pop(filled.claimer(), 20)
    assert popped == {"default": 6, "low": 10}


async def test_pops_from_a_queue_never_exceed_its_capacity(filled: FilledQueues) -> None:
    await filled.fill(critical=2, low=20)
    popped = await filled.pop(filled.claimer(), 10, {**CAPACITY, "low": 6})
    assert popped == {"critical": 2, "low": 6}
    assert await filled.pop(filled.claimer(), 10, {**CAPACITY, "low": 0}) == {}


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


async def test_popped_ids_stay_with_the_worker_until_their_jobs_are_claimed(
    resources: Resources, filled: FilledQueues
) -> None:
    """A reply was lost: the next pop returns the same ids, and as many others as fit."""
    await filled.fill(default=5)
    claimer = filled.claimer()
    first = await claimer.pop(2, CAPACITY)
    assert 3 == await resources.redis.zcard("arq:queue:default")
    again = await claimer.pop(3, CAPACITY)
    assert first == again[:2]
    assert 3 == len(set(again))
    claims = await claimer.claim_next(3, CAPACITY)
    assert set(again) == {job.id for job in claims.jobs}
    assert set(again).isdisjoint(await claimer.pop(3, CAPACITY))


async def test_ids_stay_taken_when_postgres_fails_during_the_claim(
    resources: Resources, filled: FilledQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled.fill(default=2)
    claimer = filled.claimer()

    async def fail(*_: object) -> None:
        raise Unavailable("down", dependency="postgres")

    monkeypatch.setattr(claimer, "_claim", fail)
    with pytest.raises(Unavailable):
        await claimer.claim_next(2, CAPACITY)
    monkeypatch.undo()
    assert 2 == len((await claimer.claim_next(2, CAPACITY)).jobs)
