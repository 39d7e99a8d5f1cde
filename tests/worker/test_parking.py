"""Jobs of a paused kind are parked: they wait in Postgres alone, and delay no other job."""

from __future__ import annotations

from uuid import uuid4

from app.jobs import statements
from app.jobs.admin.queues import pause_kind, resume_kind
from app.jobs.redis_queue import queue_key
from app.postgres.database import Database
from app.resources import Resources
from tests.support.sample_jobs import (
    CALLS,
    CriticalSampleJob,
    LowSampleJob,
    SampleJob,
    enqueue_job,
    job_row,
    run_to_completion,
)
from tests.support.working import eventually, running_worker
from worker.parking import Parking
from worker.relay import Relay

RELAY_ID = uuid4()

MANY = """
insert into jobs (kind, queue, payload, run_at)
select $1, 'default', '{"name": "many"}', now() - interval '1 second' * n
from generate_series(1, $2) as n
"""


async def pause(database: Database, kind: str) -> None:
    async with database.transaction() as tx:
        await pause_kind(tx, kind, by="test")


async def resume(database: Database, kind: str) -> None:
    async with database.transaction() as tx:
        await resume_kind(tx, kind, by="test")


async def blocked(database: Database) -> dict[str, int]:
    rows = await database.fetch(
        "select blocked_on, count(*) from jobs where blocked_on is not null group by blocked_on"
    )
    return dict(map(tuple, rows))


async def test_pausing_a_kind_parks_its_jobs_and_takes_their_ids_out_of_redis(
    resources: Resources,
) -> None:
    database = resources.database
    await database.execute(MANY, SampleJob.kind, 6_000)
    other = await enqueue_job(database, LowSampleJob("other"))
    async with running_worker(resources) as engine:
        engine.slots.may_claim.clear()
        await pause(database, SampleJob.kind)
        await eventually(lambda: blocked(database), {f"kind {SampleJob.kind}": 6_000})
        await eventually(lambda: resources.redis.zcard(queue_key("default")), 0)
    assert (await job_row(database, other))["blocked_on"] is None


async def test_job_of_another_kind_runs_while_thousands_of_a_kind_are_paused(
    resources: Resources,
) -> None:
    database = resources.database
    await pause(database, SampleJob.kind)
    await database.execute(MANY, SampleJob.kind, 6_000)
    async with running_worker(resources):
        await run_to_completion(database, CriticalSampleJob("other"))
        await eventually(lambda: blocked(database), {f"kind {SampleJob.kind}": 6_000})
    assert 0 == CALLS["many"]


async def test_resumed_jobs_run_in_their_old_order(resources: Resources) -> None:
    database = resources.database
    await pause(database, SampleJob.kind)
    old = await enqueue_job(database, SampleJob("old"))
    run_at = (await job_row(database, old))["run_at"]
    assert f"kind {SampleJob.kind}" == (await job_row(database, old))["blocked_on"]
    await resume(database, SampleJob.kind)
    new = await enqueue_job(database, SampleJob("new"))
    parking = await leading(resources)
    while await parking.take_turn():
        pass
    assert run_at == (await job_row(database, old))["run_at"]
    ids = await resources.redis.zrange(queue_key("default"), 0, -1)
    assert [str(old), str(new)] == [job_id.decode() for job_id in ids]


async def leading(resources: Resources) -> Parking:
    """Return the parking of a worker that runs the relay."""
    relay = Relay(resources.database, resources.redis, resources.dispatcher, RELAY_ID)
    await relay.take_turn()
    return Parking(resources.database, resources.dispatcher, relay)


async def test_job_that_something_else_blocks_stays_parked_when_its_kind_is_resumed(
    resources: Resources,
) -> None:
    database = resources.database
    await pause(database, SampleJob.kind)
    await enqueue_job(database, SampleJob("waits"))
    await database.execute("insert into breakers (dependency) values ('smtp')")
    await database.execute("insert into breaker_kinds values ($1, 'smtp')", SampleJob.kind)
    await resume(database, SampleJob.kind)
    parking = await leading(resources)
    while await parking.take_turn():
        pass
    assert {"smtp": 1} == await blocked(database)


async def test_claim_leaves_parked_jobs_alone(resources: Resources) -> None:
    database = resources.database
    await pause(database, SampleJob.kind)
    parked = await enqueue_job(database, SampleJob("parked"))
    assert [] == await statements.claim(database, ids=[parked], worker_id=RELAY_ID, token=RELAY_ID)


async def test_probe_is_not_parked_again(resources: Resources) -> None:
    database = resources.database
    await database.execute(
        "insert into breakers (dependency, next_probe_at) values ('smtp', now())"
    )
    await database.execute("insert into breaker_kinds values ($1, 'smtp')", SampleJob.kind)
    probe = await enqueue_job(database, SampleJob("probe"))
    parking = await leading(resources)
    while await parking.take_turn():
        pass
    assert (await job_row(database, probe))["blocked_on"] is None
