"""Running a schedule's job now."""

from __future__ import annotations

from datetime import date

from app.jobs import JobId
from app.jobs.scheduling import history, trigger
from app.jobs.scheduling.records import ScheduleRun
from app.resources import Resources
from app.transaction import Database
from tests.kit.working import run_jobs


async def triggered(
    database: Database, name: str, day: str | None = None, *, dry_run: bool = False
) -> JobId:
    """The job of a run that is about this day's period."""
    about = date.fromisoformat(day) if day else None
    async with database.transaction() as tx:
        return (await trigger(tx, name, by="test", day=about, dry_run=dry_run)).job_id


async def ran(
    resources: Resources, name: str, day: str | None = None, *, dry_run: bool = False
) -> ScheduleRun:
    """The run, after a real worker has run it."""
    job_id = await triggered(resources.database, name, day, dry_run=dry_run)
    await run_jobs(resources)
    run = await history.run_of_job(resources.database, job_id)
    assert run is not None
    return run
