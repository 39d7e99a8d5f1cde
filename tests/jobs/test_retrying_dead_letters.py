"""Retrying and discarding dead letters, even while others enqueue and retry jobs."""

from __future__ import annotations

import asyncio

from app import jobs
from app.errors import Conflict
from app.jobs import JobId
from app.jobs.admin import dead_letters
from app.jobs.admin.rows import DiscardResult, RetryResult
from app.postgres.database import Database
from tests.support.locks import wait_for_blocked_transaction
from tests.support.sample_jobs import SampleJob, enqueue_job, job_row

INSERT_DEAD = """
insert into jobs (kind, queue, payload, state, unique_key, fingerprint, failures, finished_at)
select 'test:sample', 'default', '{"name": "a"}', 'dead', $2 || n, 'abc', 4, now()
from generate_series(1, $1) as n
"""


async def test_group_of_dead_letters_is_retried_and_discarded_in_batches(
    database: Database,
) -> None:
    await database.execute(INSERT_DEAD, 30, None)
    await database.execute(
        "update jobs set expires_at = now() where id in (select id from jobs limit 9)"
    )
    assert RetryResult(21, 9) == await dead_letters.retry_group(database, "abc", by="test", batch=7)
    assert 21 == await database.fetchval("select count(*) from jobs where state = 'queued'")
    assert DiscardResult(9) == await dead_letters.discard_group(database, "abc", by="test", batch=7)


async def test_retry_does_not_duplicate_a_job_that_is_being_enqueued(database: Database) -> None:
    await database.execute(INSERT_DEAD, 3, "day-")
    async with database.transaction() as tx:
        await jobs.enqueue(tx, SampleJob("a", key="day-2"))
        retry = asyncio.create_task(dead_letters.retry_group(database, "abc", by="test"))
        await wait_for_blocked_transaction(database)
    assert RetryResult(2, 1) == await retry


async def test_two_operators_cannot_both_retry_a_dead_letter(database: Database) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await database.execute("update jobs set state = 'dead', finished_at = now(), fingerprint = 'f'")
    retries = (dead_letters.retry_job(database, job_id, by="test") for _ in range(2))
    results = await asyncio.gather(*retries, return_exceptions=True)
    assert {type(None), Conflict} == set(map(type, results))
    assert "queued" == (await job_row(database, JobId(job_id)))["state"]
