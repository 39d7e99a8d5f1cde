"""The worker's loops and jobs when Postgres answers with an error."""

from __future__ import annotations

import asyncpg
import pytest

from app.errors import StatementCancelled
from app.postgres.database import Database
from app.resources import Resources
from tests.support.sample_jobs import (
    BEHAVIOURS,
    SampleJob,
    enqueue_job,
    job_row,
    run_to_completion,
)
from tests.support.working import RunJobs, eventually, running_worker

OTHERS = """
select count(pg_cancel_backend(pid)) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'
"""


async def test_loops_continue_after_an_error_that_they_do_not_expect(
    resources: Resources, owner: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running_worker(resources) as engine:
        await run_to_completion(resources.database, SampleJob("before"))
        await owner.execute("alter table workers rename to renamed")
        try:
            interruptions = 0

            async def count_interruptions() -> bool:
                nonlocal interruptions
                interruptions += capfd.readouterr().out.count("worker.loop_interrupted")
                return interruptions > 1

            await eventually(count_interruptions, True)
        finally:
            await owner.execute("alter table renamed rename to workers")
        await run_to_completion(resources.database, SampleJob("after"))
        assert not engine.failed


async def test_heartbeat_continues_after_its_statement_was_cancelled(
    resources: Resources, owner: Database
) -> None:
    async with running_worker(resources) as engine:
        await run_to_completion(resources.database, SampleJob("before"))
        async with owner.transaction() as tx:
            await tx.execute("lock table workers")

            async def cancel() -> bool:
                return bool(await resources.database.fetchval(OTHERS))

            await eventually(cancel, True)
        await run_to_completion(resources.database, SampleJob("after"))
        assert not engine.failed


@pytest.mark.parametrize("error", [StatementCancelled("too long"), asyncpg.DataError("a bug")])
async def test_job_fails_and_is_retried_a_limited_number_of_times(
    database: Database, run_jobs: RunJobs, error: Exception
) -> None:
    async def fail(*_: object) -> None:
        raise error

    BEHAVIOURS["a"] = fail
    job_id = await enqueue_job(database, SampleJob("a"))
    for _ in range(SampleJob.retries + 1):
        await run_jobs(may_fail=True)
        await database.execute("update jobs set run_at = now() where state = 'retrying'")
    row = await job_row(database, job_id)
    assert ("dead", SampleJob.retries + 1) == (row["state"], row["failures"])
