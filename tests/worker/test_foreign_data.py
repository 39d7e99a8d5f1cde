"""Data that somebody else has written to Redis does not stop a worker."""

from __future__ import annotations

import asyncio

import pytest

from app import metrics
from app.jobs.redis_queue import QUEUES, SET_ASIDE_PREFIX, WAKEUP_KEY, queue_key
from app.postgres.database import Database
from app.resources import Resources
from tests.support.sample_jobs import CriticalSampleJob, LowSampleJob, enqueue_job
from tests.support.working import eventually, running_worker

DONE = "select count(*) from jobs where state = 'done'"


async def test_entries_of_a_queue_that_are_no_ids_are_dropped_and_counted(
    database: Database, resources: Resources
) -> None:
    before = metrics.foreign_ids._value.get()  # it has no public reader
    foreign = [b"garbage", b"\xff\xfe", b"", *(f"garbage {n}".encode() for n in range(20))]
    await resources.redis.zadd(queue_key("critical"), dict.fromkeys(foreign, 0))
    await enqueue_job(database, CriticalSampleJob("a"))
    await resources.dispatcher.flush()
    async with running_worker(resources):
        await eventually(lambda: database.fetchval(DONE), 1)
    assert len(foreign) == metrics.foreign_ids._value.get() - before  # see above
    assert 0 == await resources.redis.zcard(queue_key("critical"))


@pytest.mark.parametrize("key", [*map(queue_key, QUEUES), WAKEUP_KEY])
async def test_key_of_the_wrong_type_is_set_aside_and_jobs_run(
    database: Database, resources: Resources, key: str
) -> None:
    async with running_worker(resources):
        await resources.redis.delete(key)
        await resources.redis.set(key, "foreign")
        await asyncio.gather(
            enqueue_job(database, CriticalSampleJob("a")), enqueue_job(database, LowSampleJob("a"))
        )
        await resources.dispatcher.flush()
        await eventually(lambda: database.fetchval(DONE), 2)
    assert b"foreign" == await resources.redis.get(f"{SET_ASIDE_PREFIX}{key}")


async def test_worker_sets_a_key_of_the_wrong_type_aside_although_nothing_is_enqueued(
    resources: Resources,
) -> None:
    key = queue_key("low")
    async with running_worker(resources):
        await resources.redis.set(key, "foreign")
        await eventually(lambda: resources.redis.get(f"{SET_ASIDE_PREFIX}{key}"), b"foreign")
