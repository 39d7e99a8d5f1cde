"""Dead workers: which jobs are reclaimed, and when no worker counts as dead."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from app.jobs import JobId, Run, statements
from app.jobs.redis_queue import TAKERS_KEY, queue_key, taken_key
from app.postgres.database import Database, Dispatch
from app.resources import Resources
from tests.support.sample_jobs import BEHAVIOURS, CALLS, SampleJob, enqueue_job, job_row
from tests.support.working import running_worker, until
from worker.heartbeat import reclaim_dead_workers

OTHER_WORKER = UUID(int=1)


async def beat(database: Database, worker_id: UUID = OTHER_WORKER) -> None:
    await statements.heartbeat(database, id=worker_id, host="test", pid=1, slots=10)


async def age(
    database: Database, *, worker: str = "0", gap: str = "0", any_worker: str = "0"
) -> None:
    """Move times into the past: the dead workers', the last gap's and the last heartbeat's."""
    await database.execute(
        "update workers set seen_at = seen_at - $1::text::interval where id <> $2",
        worker,
        OTHER_WORKER,
    )
    await database.execute(
        "update heartbeats set gap_ended_at = gap_ended_at - $1::text::interval,"
        " last_at = last_at - $2::text::interval",
        gap,
        any_worker,
    )


async def claim_on_new_worker(database: Database, *ids: JobId) -> UUID:
    worker_id = uuid4()
    await beat(database, worker_id)
    await statements.claim(database, ids=list(ids), worker_id=worker_id, token=uuid4())
    return worker_id


async def reclaim(resources: Resources) -> list[JobId]:
    lost = await reclaim_dead_workers(
        resources.engine_database, resources.redis, resources.dispatcher
    )
    return [job.id for job in lost]


async def crashes(database: Database, job_id: JobId) -> int:
    return int((await job_row(database, job_id))["crashes"])


async def test_jobs_of_a_worker_without_heartbeats_for_ten_seconds_are_reclaimed(
    database: Database, resources: Resources
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    worker_id = await claim_on_new_worker(database, job_id)
    await beat(database)
    await age(database, worker="9 s", gap="1 h")
    assert [] == await reclaim(resources)
    await age(database, worker="2 s")
    assert [job_id] == await reclaim(resources)
    job = await job_row(database, job_id)
    assert ("queued", 1, 1) == (job["state"], job["attempt"], job["crashes"])
    assert await resources.redis.zscore(queue_key("default"), str(job_id))
    assert worker_id not in await statements.worker_ids(database)


async def test_no_worker_is_dead_while_no_worker_sends_heartbeats(
    database: Database, resources: Resources
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await claim_on_new_worker(database, job_id)
    await beat(database)
    await age(database, worker="11 s", gap="1 h", any_worker="11 s")
    assert [] == await reclaim(resources)
    assert 0 == await crashes(database, job_id)


async def test_no_worker_is_dead_within_ten_seconds_after_a_gap_in_all_heartbeats(
    database: Database, resources: Resources
) -> None:
    """Postgres stood still for eleven seconds, and one worker's heartbeat arrives first."""
    job_id = await enqueue_job(database, SampleJob("a"))
    await claim_on_new_worker(database, job_id)
    await beat(database)
    await age(database, worker="11 s", gap="1 h", any_worker="11 s")
    await beat(database)
    assert [] == await reclaim(resources)
    await age(database, gap="9 s")
    assert [] == await reclaim(resources)
    await age(database, gap="2 s")
    assert [job_id] == await reclaim(resources)


async def test_heartbeats_of_several_workers_write_the_shared_row_once(database: Database) -> None:
    await beat(database)
    before = await database.fetchval("select xmin::text from heartbeats")
    await beat(database, uuid4())
    await beat(database, uuid4())
    assert before == await database.fetchval("select xmin::text from heartbeats")


async def test_jobs_claimed_ahead_of_a_free_slot_count_neither_the_attempt_nor_the_crash(
    database: Database, resources: Resources
) -> None:
    started, ahead = [await enqueue_job(database, SampleJob(name)) for name in "ab"]
    worker_id = await claim_on_new_worker(database, started)
    await statements.claim(database, ids=[ahead], worker_id=worker_id, token=uuid4())
    await database.execute("update workers set slots = 1 where id = $1", worker_id)
    await beat(database)
    await age(database, worker="11 s", gap="1 h")
    assert {started, ahead} == set(await reclaim(resources))
    rows = [await job_row(database, job_id) for job_id in (started, ahead)]
    assert [(1, 1), (0, 0)] == [(row["attempt"], row["crashes"]) for row in rows]


async def test_job_becomes_a_dead_letter_with_its_tenth_crash(
    database: Database, resources: Resources
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    states = []
    for _ in range(10):
        await database.execute("update jobs set run_at = now()")
        await claim_on_new_worker(database, job_id)
        await beat(database)
        await age(database, worker="11 s", gap="1 h")
        await reclaim(resources)
        states.append((await job_row(database, job_id))["state"])
    assert ["queued"] * 9 + ["dead"] == states
    assert "its worker was lost ten times" == (await job_row(database, job_id))["error"]


async def test_ids_that_a_dead_worker_had_taken_are_dispatched_again(
    database: Database, resources: Resources
) -> None:
    job_id, worker_id = await enqueue_job(database, SampleJob("a")), uuid4()
    await resources.dispatcher.flush()
    await beat(database, worker_id)
    await resources.redis.zrem(queue_key("default"), str(job_id))
    await resources.redis.zadd(taken_key(worker_id), {str(job_id): 1, str(uuid4()): 1})
    await beat(database)
    await age(database, worker="11 s", gap="1 h")
    await reclaim(resources)
    assert [str(job_id).encode()] == await resources.redis.zrange(queue_key("default"), 0, -1)
    assert not await resources.redis.exists(taken_key(worker_id), TAKERS_KEY)
    assert [OTHER_WORKER] == await statements.worker_ids(database)


async def test_running_job_whose_worker_has_no_row_is_reclaimed(
    database: Database, resources: Resources
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await statements.claim(database, ids=[job_id], worker_id=uuid4(), token=uuid4())
    await beat(database)
    await age(database, gap="1 h")
    await statements.add_missing_workers(database)
    assert [] == await reclaim(resources)
    await database.execute("update jobs set started_at = started_at - interval '11 s'")
    await statements.add_missing_workers(database)
    assert [job_id] == await reclaim(resources)
    assert 1 == await crashes(database, job_id)


@pytest.mark.parametrize("crashes_before", [0, 1, 3])
async def test_job_waits_longer_after_each_crash_but_the_first(
    database: Database, resources: Resources, crashes_before: int
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    due = (await job_row(database, job_id))["run_at"]
    await database.execute("update jobs set crashes = $1", crashes_before)
    await claim_on_new_worker(database, job_id)
    await beat(database)
    await age(database, worker="11 s", gap="1 h")
    now = await database.fetchval("select now()")
    await reclaim(resources)
    again = (await job_row(database, job_id))["run_at"]
    if crashes_before == 0:
        assert due == again
    else:
        delay = timedelta(seconds=5 * 2**crashes_before)
        assert delay <= again - now < delay + timedelta(minutes=2)


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
            await tx.execute("update heartbeats set last_at = now(), gap_ended_at = '-infinity'")
            assert [job_id] == [lost.id for lost in await statements.reclaim(tx)]
        await resources.dispatcher.add([Dispatch("default", job_id, datetime.now(UTC))])
        await until(lambda: sorted(ended) == [1, 2])
        await until(lambda: not engine.slots.running)
    job = await job_row(database, job_id)
    assert ("done", 2) == (job["state"], job["attempt"])
