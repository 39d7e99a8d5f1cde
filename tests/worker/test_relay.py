"""The relay gives Redis the ids that it lacks, and writes nothing to the jobs' rows."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast
from uuid import uuid4

import pytest
from redis.exceptions import OutOfMemoryError

from app import jobs
from app.jobs import JobId
from app.jobs.redis_queue import (
    MARK_KEY,
    SET_ASIDE_PREFIX,
    TAKERS_KEY,
    Dispatcher,
    queue_key,
    taken_key,
)
from app.postgres.database import Database
from app.redis import Redis, open_redis
from app.resources import Resources
from tests.support.outages import own_valkey
from tests.support.sample_jobs import CriticalSampleJob, LowSampleJob, SampleJob, enqueue_job
from worker import relay as relay_module
from worker.relay import Relay

CRITICAL, DEFAULT, LOW = map(queue_key, ("critical", "default", "low"))


@pytest.fixture
def redis(resources: Resources) -> Redis:
    return resources.redis


@pytest.fixture
async def relay(resources: Resources) -> Relay:
    """A relay that leads and has compared everything: its turns only look at what is new."""
    found = new_relay(resources)
    await found.take_turn()
    await found.compare_queues()
    return found


def new_relay(resources: Resources) -> Relay:
    return Relay(resources.engine_database, resources.redis, resources.dispatcher, uuid4())


async def insert_old_jobs(database: Database, count: int, queue: str = "low") -> None:
    """Insert jobs that have been due for an hour and that nobody has dispatched."""
    await database.execute(
        "insert into jobs (kind, queue, payload, run_at, ready_at)"
        " select 'old', $1, '{}', now() - interval '1 hour', now() - interval '1 hour'"
        " from generate_series(1, $2)",
        queue,
        count,
    )


async def enqueue_undispatched(resources: Resources, job: jobs.Job) -> JobId:
    """Enqueue a job whose id Redis loses."""
    job_id = await enqueue_job(resources.database, job)
    await resources.dispatcher.flush()
    await resources.redis.delete(CRITICAL, DEFAULT, LOW)
    return job_id


async def expire_relay_lease(database: Database) -> None:
    await database.execute("update relay set held_until = now() - interval '1 second'")


async def test_turn_dispatches_jobs_that_became_due_since_the_mark(
    database: Database, resources: Resources, redis: Redis, relay: Relay
) -> None:
    job_id = await enqueue_undispatched(resources, SampleJob("a"))
    assert 1 == await relay.take_turn()
    assert [str(job_id).encode()] == await redis.zrange(DEFAULT, 0, -1)
    assert 0 == await relay.take_turn()


async def test_turn_dispatches_a_job_once_its_run_at_has_passed(
    database: Database, redis: Redis, relay: Relay
) -> None:
    later = await database.fetchval("select clock_timestamp() + interval '1 hour'")
    async with database.transaction() as tx:
        job_id = await jobs.enqueue(tx, SampleJob("a"), run_at=later)
    assert 0 == await relay.take_turn()
    await database.execute("update jobs set run_at = clock_timestamp()")
    assert 1 == await relay.take_turn()
    assert await redis.zscore(DEFAULT, str(job_id)) is not None


async def test_job_that_commits_long_after_it_was_inserted_is_found_by_a_turn(
    database: Database, resources: Resources, relay: Relay
) -> None:
    await insert_old_jobs(database, 1)
    await database.execute("update jobs set ready_at = clock_timestamp() - interval '50 seconds'")
    turns = [await relay.take_turn() for _ in range(relay_module.TURNS_PER_LONG_OVERLAP)]
    assert 1 == sum(turns)


async def test_only_one_worker_runs_the_relay_until_its_lease_ends(
    database: Database, resources: Resources, relay: Relay
) -> None:
    other = new_relay(resources)
    await other.take_turn()
    assert (True, False) == (relay.leads, other.leads)
    await expire_relay_lease(database)
    await other.take_turn()
    await relay.take_turn()
    assert (False, True) == (relay.leads, other.leads)


async def test_turns_write_no_jobs(database: Database, resources: Resources, relay: Relay) -> None:
    await insert_old_jobs(database, 100)
    before = await database.fetch("select xmin::text from jobs order by id")
    await expire_relay_lease(database)
    other = new_relay(resources)
    await other.take_turn()
    assert 100 == await other.compare_queues()
    assert before == await database.fetch("select xmin::text from jobs order by id")


async def test_flushed_redis_gets_all_due_jobs_back_in_pages(
    database: Database, redis: Redis, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "PAGE", 10)
    await insert_old_jobs(database, 25, "low")
    await insert_old_jobs(database, 25, "critical")
    await redis.flushdb()
    await relay.take_turn()
    assert 50 == await relay.compare_queues()
    assert (25, 25) == (await redis.zcard(CRITICAL), await redis.zcard(LOW))
    assert await redis.exists(MARK_KEY)


async def test_job_that_becomes_due_while_a_flushed_redis_is_refilled_is_dispatched_by_a_turn(
    database: Database, resources: Resources, redis: Redis, relay: Relay
) -> None:
    await insert_old_jobs(database, 10)
    await redis.flushdb()
    await relay.take_turn()  # the comparison has not begun
    job_id = await enqueue_undispatched(resources, CriticalSampleJob("a"))
    await relay.take_turn()
    assert await redis.zscore(CRITICAL, str(job_id)) is not None


async def test_redis_flushed_during_a_turn_is_noticed_by_the_next_turn(
    database: Database, redis: Redis, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert_old_jobs(database, 3)
    page = relay._page  # the moment between two steps of a turn

    async def page_and_flush(*args: object) -> object:
        await redis.flushdb()
        return await page(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(relay, "_page", page_and_flush)
    await relay.take_turn()
    monkeypatch.undo()
    await relay.take_turn()
    assert 3 == await relay.compare_queues()


async def test_redis_restored_from_an_older_copy_is_compared_in_full(
    database: Database, redis: Redis, relay: Relay
) -> None:
    old = await redis.get(MARK_KEY)
    await insert_old_jobs(database, 3)
    await relay.take_turn()
    await redis.set(MARK_KEY, int(old) - 1)
    await relay.take_turn()
    assert 3 == await relay.compare_queues()


async def test_queue_that_was_deleted_from_redis_is_compared_in_full(
    database: Database, redis: Redis, relay: Relay
) -> None:
    await insert_old_jobs(database, 3)
    for _ in range(2 * relay_module.TURNS_PER_COUNT):
        await relay.take_turn()
    assert 3 == await relay.compare_queues()


async def test_all_due_jobs_are_compared_when_a_worker_starts_and_every_five_minutes(
    database: Database, resources: Resources, relay: Relay
) -> None:
    await insert_old_jobs(database, 3)
    await relay.take_turn()
    assert 0 == await relay.compare_queues()
    await new_relay(resources).take_turn()
    await relay.take_turn()
    assert 3 == await relay.compare_queues()
    await resources.redis.delete(LOW)
    relay._compared_at -= relay_module.FULL_INTERVAL  # five minutes pass
    await relay.take_turn()
    assert 3 == await relay.compare_queues()


async def test_mark_stays_while_redis_is_full(database: Database, resources: Resources) -> None:
    async with own_valkey() as valkey:
        await valkey.start()
        async with open_redis(valkey.settings()["REDIS_URL"]) as redis:
            relay = Relay(resources.engine_database, redis, Dispatcher(redis), uuid4())
            await relay.take_turn()
            before = await database.fetchval("select mark from relay")
            await enqueue_job(database, SampleJob("a"))
            await redis.config_set("maxmemory", 1)
            with pytest.raises(OutOfMemoryError):
                await relay.take_turn()
            await redis.config_set("maxmemory", 0)
            assert before == await database.fetchval("select mark from relay")
            assert 1 == await relay.take_turn()


@pytest.mark.parametrize("foreign", ["not a number", None])
async def test_mark_that_somebody_else_has_written_is_replaced(
    database: Database, redis: Redis, relay: Relay, foreign: str | None
) -> None:
    await insert_old_jobs(database, 1)
    await redis.delete(MARK_KEY)
    if foreign is None:
        await redis.zadd(MARK_KEY, {"a sorted set": 1})
    else:
        await redis.set(MARK_KEY, foreign)
    await relay.take_turn()
    assert 1 == await relay.compare_queues()
    assert int(await redis.get(MARK_KEY))


async def test_ids_taken_by_a_worker_without_a_row_are_dispatched_again(
    database: Database, resources: Resources, redis: Redis, relay: Relay
) -> None:
    job_id, gone = await enqueue_undispatched(resources, LowSampleJob("a")), uuid4()
    await redis.zadd(taken_key(gone), {str(job_id): 1})
    await cast("Awaitable[int]", redis.sadd(TAKERS_KEY, str(gone)))
    await relay._return_ids_of_missing_workers()  # every sixtieth turn
    assert [str(job_id).encode()] == await redis.zrange(LOW, 0, -1)
    assert not await redis.exists(taken_key(gone), TAKERS_KEY)


async def test_foreign_data_among_taken_ids_is_dropped(
    resources: Resources, redis: Redis, relay: Relay
) -> None:
    job_id, gone, spoiled = (
        await enqueue_undispatched(resources, LowSampleJob("a")),
        uuid4(),
        uuid4(),
    )
    await redis.zadd(taken_key(gone), {str(job_id).encode(): 1, b"garbage": 1, b"\xff": 1})
    await redis.set(taken_key(spoiled), "foreign")
    takers = (str(gone), str(spoiled), "garbage", b"\xff")
    await cast("Awaitable[int]", redis.sadd(TAKERS_KEY, *takers))
    await relay._return_ids_of_missing_workers()  # every sixtieth turn
    assert [str(job_id).encode()] == await redis.zrange(LOW, 0, -1)
    assert not await redis.exists(taken_key(gone), taken_key(spoiled), TAKERS_KEY)
    assert b"foreign" == await redis.get(f"{SET_ASIDE_PREFIX}{taken_key(spoiled)}")
