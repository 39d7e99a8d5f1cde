"""Helpers that trigger schedules and look at their runs."""

from __future__ import annotations

from datetime import date, datetime

from app.jobs import JobId
from app.jobs.schedules import history, trigger
from app.jobs.schedules.schedule import ScheduleRun
from app.postgres.database import Database
from app.postgres.statements import Queryable
from app.resources import Resources
from tests.support.moments import at
from tests.support.working import run_jobs
from worker.cron import Clock


async def trigger_run(
    database: Database, name: str, day: str | None = None, *, dry_run: bool = False
) -> JobId:
    """Trigger a run for the period that contains this day, and return the id of its job."""
    period_day = date.fromisoformat(day) if day else None
    async with database.transaction() as tx:
        return (await trigger(tx, name, by="test", day=period_day, dry_run=dry_run)).job_id


async def run_schedule(
    resources: Resources, name: str, day: str | None = None, *, dry_run: bool = False
) -> ScheduleRun:
    """Trigger a run, let a real worker execute its job, and return the run."""
    job_id = await trigger_run(resources.database, name, day, dry_run=dry_run)
    await run_jobs(resources)
    run = await history.run_of_job(resources.database, job_id)
    assert run is not None
    return run


def fixed_clock(text: str) -> Clock:
    """Return a schedule clock that always shows this UTC time."""

    async def clock(_: Queryable) -> datetime:
        return at(text)

    return clock


async def list_runs(database: Database, schedule: str) -> list[tuple[str, str]]:
    """Return the day and state of each run, ordered by tick."""
    rows = await database.fetch(
        "select day, state from schedule_runs where schedule = $1 order by tick", schedule
    )
    return [(str(row["day"]), row["state"]) for row in rows]


async def finish_jobs(database: Database, state: str) -> None:
    """Move all queued jobs to a final state, as if each had run for two seconds."""
    await database.execute(
        "update jobs set state = $1, started_at = now() - interval '2 s', finished_at = now(),"
        " error = 'why', fingerprint = case when $1 = 'dead' then 'f' end where state = 'queued'",
        state,
    )
