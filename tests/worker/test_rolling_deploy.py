"""During a rolling deploy, workers of the previous release and of this one share all jobs.

The statements are those of the previous release. `just chaos --previous FOLDER` runs its workers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.jobs import JobId, statements
from app.postgres.database import Database
from app.resources import Resources
from tests.support.sample_jobs import SampleJob, job_row
from tests.support.working import eventually, running_worker

INSERT = """
insert into jobs (kind, queue, payload, run_at) values ($1, $2, $3, now()) returning id
"""
CLAIM = """
update jobs set state = 'running', attempt = attempt + 1, worker_id = $2, token = $3,
    started_at = now(), blocked_on = null, progress = null
where id = $1 and state in ('queued', 'retrying', 'snoozed') and run_at <= now()
returning id
"""
RESCHEDULE = """
update jobs set state = $2, run_at = now(), blocked_on = $3, alone = false, dispatched_at = null,
    worker_id = null, token = null
where id = $1 and state = 'running'
"""
RELEASE = """
update jobs set state = 'queued', attempt = attempt - 1, alone = false, dispatched_at = null,
    worker_id = null, token = null
where id = $1 and state = 'running'
"""
RECLAIM = """
update jobs set state = 'queued', alone = false, run_at = now(), crashes = crashes + 1,
    dispatched_at = null, worker_id = null, token = null
where id = $1 and state = 'running'
"""
AGE = """
update jobs set run_at = run_at - interval '1 hour', ready_at = ready_at - interval '1 hour'
where id = $1
"""
MARK_DISPATCHED = "update jobs set dispatched_at = clock_timestamp() where id = $1"
UNDISPATCHED = """
select id from jobs
where state in ('queued', 'retrying', 'snoozed') and dispatched_at is null
    and run_at <= now() and (enqueued_at <= now() - interval '1 second' or attempt > 0)
order by run_at limit 1000
"""

CLAIMED = (CLAIM, uuid4(), uuid4())
LEFT: dict[str, list[tuple[Any, ...]]] = {
    "enqueued": [],
    "dispatched": [(MARK_DISPATCHED,)],
    "to retry": [CLAIMED, (RESCHEDULE, "retrying", None)],
    "put off by a breaker": [CLAIMED, (RESCHEDULE, "snoozed", "smtp")],
    "released": [CLAIMED, (RELEASE,), (AGE,)],
    "reclaimed": [CLAIMED, (RECLAIM,)],
}
"""How the previous release leaves waiting jobs: statements with the arguments after the id."""


async def insert_job(database: Database, name: str) -> JobId:
    """Insert a job as the previous release does, without dispatching it."""
    payload = f'{{"name": "{name}"}}'
    found = await database.fetchval(INSERT, SampleJob.kind, SampleJob.queue, payload)
    return JobId(found)


async def leave(database: Database, name: str) -> JobId:
    job_id = await insert_job(database, name)
    for statement, *arguments in LEFT[name]:
        await database.execute(statement, job_id, *arguments)
    return job_id


async def test_jobs_that_the_previous_release_left_waiting_are_run(
    database: Database, resources: Resources
) -> None:
    """Their ids are not in Redis: the worker that should have dispatched them has ended."""
    async with running_worker(resources):
        relay_has_caught_up = "select mark > now() - interval '2 seconds' from relay"
        await eventually(lambda: database.fetchval(relay_has_caught_up), True)
        left = {name: await leave(database, name) for name in LEFT}

        async def states() -> object:
            return {name: (await job_row(database, job))["state"] for name, job in left.items()}

        await eventually(states, dict.fromkeys(LEFT, "done"))


@pytest.mark.parametrize("state", ["queued", "retrying", "snoozed"])
async def test_previous_release_finds_and_claims_jobs_that_this_one_left_waiting(
    database: Database, state: str
) -> None:
    job_id, worker_id, token = await insert_job(database, state), uuid4(), uuid4()
    await statements.claim(database, ids=[job_id], worker_id=worker_id, token=token)
    if state == "queued":
        await statements.release(database, ids=[job_id], token=token)
    else:
        await statements.reschedule(
            database,
            id=job_id,
            token=token,
            state=state,
            delay=timedelta(0),
            failed=state == "retrying",
            untried=False,
            blocked_on=None,
            error="failed on purpose",
        )
    await database.execute("update jobs set enqueued_at = now() - interval '2 seconds'")
    assert [job_id] == [row["id"] for row in await database.fetch(UNDISPATCHED)]
    assert job_id == await database.fetchval(CLAIM, job_id, uuid4(), uuid4())
