"""Helpers that create operators and dead letters."""

from __future__ import annotations

from app.jobs import JobId, Run
from app.jobs.outcomes import Dead
from app.postgres.database import Database
from app.resources import Resources
from tests.support.people import Person, person
from tests.support.sample_jobs import BEHAVIOURS, SampleJob, enqueue_job
from tests.support.working import RunJobs


async def operator(database: Database, name: str = "ada") -> Person:
    """Create a signed-in operator."""
    signed_in = await person(database, name)
    await database.execute("update users set is_admin = true where id = $1", signed_in.id)
    return signed_in


async def dead(database: Database, run_jobs: RunJobs, *jobs: SampleJob, reason: str) -> list[JobId]:
    """Enqueue these jobs, and have a real worker turn them into dead letters with this reason."""

    async def fail(_: Run, __: Resources) -> None:
        raise Dead(reason)

    ids = []
    for job in jobs:
        BEHAVIOURS[job.name] = fail
        ids.append(await enqueue_job(database, job))
    await run_jobs(may_fail=True)
    for job in jobs:
        del BEHAVIOURS[job.name]
    return ids
