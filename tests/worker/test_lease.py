"""Leases: which jobs are reclaimed, and which workers may reclaim them."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import uuid4

import pytest

from app.event_loop import cancel_all
from app.jobs import JobId, Run, statements
from app.postgres.database import Database
from app.resources import Resources
from tests.support.sample_jobs import BEHAVIOURS, CALLS, SampleJob, enqueue_job, job_row
from tests.support.working import eventually, running_worker, until
from worker.heartbeat import reclaim_if_allowed, reclaim_until_cancelled
from worker.lease import LEASE_S, Lease
from worker.relay import Relay


class Clock:
    """A monotonic clock that a test moves forward."""

    now = 1000.0
    reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now


def renew(clock: Clock, lease: Lease) -> Lease:
    """Renew the lease as if Postgres had just recorded a heartbeat, and return it."""
    lease.renew(clock.now)
    return lease


def test_worker_cut_off_from_postgres_may_reclaim_only_after_ten_seconds_of_heartbeats() -> None:
    lease = renew(clock := Clock(), Lease(clock))
    allowed = [lease.may_reclaim]
    clock.now += LEASE_S + 0.5
    allowed.append(lease.may_reclaim)
    for _ in range(int(LEASE_S) + 1):
        allowed.append(renew(clock, lease).may_reclaim)
        clock.now += 1
    assert [True, False, *[False] * int(LEASE_S), True] == allowed


@pytest.fixture
async def orphan(database: Database) -> JobId:
    """A running job; its worker was last seen a minute ago."""
    job_id = await enqueue_job(database, SampleJob("a"))
    worker_id = uuid4()
    await statements.claim(database, ids=[job_id], worker_id=worker_id, token=uuid4())
    await database.execute(
        "insert into workers (id, host, pid, slots, seen_at)"
        " values ($1, 'gone', 1, 1, now() - interval '1 minute')",
        worker_id,
    )
    return job_id


async def test_new_worker_reclaims_but_one_that_was_just_cut_off_from_postgres_does_not(
    database: Database, orphan: JobId
) -> None:
    lease = renew(clock := Clock(), Lease(clock))
    clock.now += LEASE_S + 0.5
    assert [] == await reclaim_if_allowed(database, renew(clock, lease))
    assert 0 == (await job_row(database, orphan))["crashes"]
    lost = await reclaim_if_allowed(database, renew(clock, Lease(clock)))
    assert [orphan] == [job.id for job in lost]
    assert 1 == (await job_row(database, orphan))["crashes"]


async def test_reclaim_loop_reclaims_only_when_the_lease_allows_it(
    database: Database, resources: Resources, orphan: JobId
) -> None:
    lease = renew(clock := Clock(), Lease(clock))
    clock.now += LEASE_S + 0.5
    relay = Relay(database, resources.redis, resources.dispatcher)
    reclaiming = asyncio.create_task(reclaim_until_cancelled(database, relay, lease))
    reads = clock.reads
    await until(lambda: clock.reads > reads + 2)
    assert 0 == (await job_row(database, orphan))["crashes"]
    renew(clock, lease)
    clock.now += LEASE_S
    renew(clock, lease)
    await eventually(partial(crashes, database, orphan), 1)
    await cancel_all([reclaiming])


async def crashes(database: Database, job_id: JobId) -> object:
    return (await job_row(database, job_id))["crashes"]


async def test_new_claim_of_a_job_replaces_the_attempt_still_running_in_the_same_worker(
    database: Database, resources: Resources
) -> None:
    ended: list[int] = []

    async def hang_at_first(run: Run, _: Resources) -> None:
        try:
            if run.attempt == 1:
                await asyncio.Event().wait()
        finally:
            ended.append(run.attempt)

    BEHAVIOURS["a"] = hang_at_first
    async with running_worker(resources, grace=0) as engine:
        job_id = await enqueue_job(database, SampleJob("a"))
        await until(lambda: CALLS["a"] == 1)
        async with database.transaction() as tx:  # no heartbeat can come in between
            await tx.execute("update workers set seen_at = '-infinity'")
            assert [job_id] == [lost.id for lost in await statements.reclaim(tx)]
        await until(lambda: sorted(ended) == [1, 2])
        await until(lambda: not engine.slots.running)
    job = await job_row(database, job_id)
    assert ("done", 2) == (job["state"], job["attempt"])


async def test_job_claimed_before_its_workers_first_heartbeat_is_not_reclaimed_for_ten_seconds(
    database: Database,
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await statements.claim(database, ids=[job_id], worker_id=uuid4(), token=uuid4())
    assert [] == await statements.reclaim(database)
    await database.execute("update jobs set started_at = started_at - interval '11 seconds'")
    assert [job_id] == [lost.id for lost in await statements.reclaim(database)]
