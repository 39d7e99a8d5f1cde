"""Running a schedule's job now, and what became of its runs."""

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
    """The job of a run that is about this day's period."""
    about = date.fromisoformat(day) if day else None
    async with database.transaction() as tx:
        return (await trigger(tx, name, by="test", day=about, dry_run=dry_run)).job_id


async def run_schedule(
    resources: Resources, name: str, day: str | None = None, *, dry_run: bool = False
) -> ScheduleRun:
    """The run, after a real worker has run it."""
    job_id = await trigger_run(resources.database, name, day, dry_run=dry_run)
    await run_jobs(resources)
    run = await history.run_of_job(resources.database, job_id)
    assert run is not None
    return run


def fixed_clock(text: str) -> Clock:
    """A clock of the schedules that stands at this moment of UTC."""

    async def clock(_: Queryable) -> datetime:
        return at(text)

    return clock


async def list_runs(database: Database, schedule: str) -> list[tuple[str, str]]:
    """Day and state of each run, in the order of the ticks."""
    rows = await database.fetch(
        "select day, state from schedule_runs where schedule = $1 order by tick", schedule
    )
    return [(str(row["day"]), row["state"]) for row in rows]


async def finish_jobs(database: Database, state: str) -> None:
    """End all that wait, after two seconds of work."""
    await database.execute(
        "update jobs set state = $1, started_at = now() - interval '2 s', finished_at = now(),"
        " error = 'why', fingerprint = case when $1 = 'dead' then 'f' end where state = 'queued'",
        state,
    )
