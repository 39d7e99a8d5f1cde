"""Firing: the run of a tick and its job begin in one transaction, once.

Anyone may call `fire_due` at any time: the row of a schedule says what was decided before. The
worker passes the time by its clock, which is Postgres's unless a test gives it another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import structlog

from app.errors import Conflict, Invalid, NotFound
from app.jobs.enqueue import enqueue
from app.jobs.job import JobId
from app.jobs.schedules import statements
from app.jobs.schedules.schedule import (
    SCHEDULES,
    Schedule,
    ScheduledJob,
    Triggered,
    day_about,
)
from app.postgres.database import Database, Transaction

log = structlog.get_logger()

BY_SCHEDULE = "schedule"
TICK = "tick "
"""The prefix of the unique keys of these jobs, by which a trigger of Postgres knows them."""


async def fire_due(database: Database, *, now: datetime) -> list[JobId]:
    """Fire what is due of every schedule, unless somebody else is at it.

    Returns:
        The jobs that were enqueued.

    Raises:
        Unavailable: Postgres is away.
    """
    fired: list[JobId] = []
    for schedule in SCHEDULES.values():
        await statements.open_schedule(database, name=schedule.name, now=now)
        async with database.transaction() as tx:
            fired += await _decide(tx, schedule, now)
    return fired


async def trigger(
    tx: Transaction,
    name: str,
    *,
    by: str,
    day: date | None = None,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Triggered:
    """Run a schedule's job now, under a tick of its own: no tick of the schedule is touched.

    Args:
        day: any day of the period that the run is to be about; None: the last one that is over.
        dry_run: only count what would be done; not every job can.

    Raises:
        NotFound: there is no such schedule.
        Invalid: the period is not over, or nothing of the kind can be run dry.
    """
    schedule = known(name)
    now = now or await statements.clock(tx)
    about = _about(schedule, day, now)
    if dry_run and not schedule.dry_run:
        raise Invalid(f"{name} does not support a dry run.", field="dry_run")
    began = await _begin(tx, schedule, now, schedule.job(day=about, dry_run=dry_run), by)
    log.info(
        "operator.triggered_schedule",
        schedule=name,
        day=str(about),
        dry_run=dry_run,
        by=by,
        job=str(began.job_id),
    )
    return began


def known(name: str) -> Schedule:
    """
    Raises:
        NotFound: there is no such schedule; it lists those that there are.
    """
    if schedule := SCHEDULES.get(name):
        return schedule
    raise NotFound(f"There is no schedule {name!r}: the schedules are {', '.join(SCHEDULES)}.")


def _about(schedule: Schedule, day: date | None, now: datetime) -> date:
    """The last day of the period that a run is to be about.

    Raises:
        Invalid: it is not over.
    """
    if day is None:
        return day_about(schedule.last_tick(now))
    if day >= now.date():
        raise Invalid("That day is not over yet.", field="date")
    about = day_about(schedule.tick_about(day))
    if about >= now.date():
        raise Invalid(f"The period of that day is not over until the end of {about}.", field="date")
    return about


async def _decide(tx: Transaction, schedule: Schedule, now: datetime) -> list[JobId]:
    """Fire or skip the ticks since the last decision."""
    locked = await statements.lock_schedule(tx, name=schedule.name)
    if locked is None or locked.paused:
        return []
    since = now - schedule.grace
    missed = schedule.ticks(locked.decided_until, now)
    due = [tick for tick in (missed if schedule.each else missed[-1:]) if tick >= since]
    if len(due) < len(missed):
        log.warning("schedule.gave_up", schedule=schedule.name, ticks=len(missed) - len(due))
    await statements.decide_until(tx, name=schedule.name, now=now)
    running = await statements.running_job(tx, schedule=schedule.name)
    if running is not None:
        return await _skip(tx, schedule, due, running)
    skipped_since = since if schedule.each else None
    return await _fire(
        tx,
        schedule,
        await statements.unfired(
            tx, schedule=schedule.name, ticks=due, skipped_since=skipped_since
        ),
    )


async def _skip(
    tx: Transaction, schedule: Schedule, ticks: Sequence[datetime], running: JobId
) -> list[JobId]:
    for tick in ticks:
        log.warning(
            "schedule.skipped", schedule=schedule.name, tick=str(tick), running=str(running)
        )
        note = f"job {running} of an earlier run was still running"
        await statements.insert_skipped_run(
            tx, schedule=schedule.name, tick=tick, day=day_about(tick), note=note
        )
    return []


async def _fire(tx: Transaction, schedule: Schedule, ticks: Sequence[datetime]) -> list[JobId]:
    fired = []
    for tick in ticks:
        began = await _begin(tx, schedule, tick, schedule.job(day=day_about(tick)), BY_SCHEDULE)
        log.info("schedule.fired", schedule=schedule.name, tick=str(tick), job=str(began.job_id))
        fired.append(began.job_id)
    return fired


async def _begin(
    tx: Transaction, schedule: Schedule, tick: datetime, job: ScheduledJob, by: str
) -> Triggered:
    """Enqueue the job of a tick and insert its run.

    Raises:
        Conflict: the tick has had a run.
    """
    job_id = await enqueue(tx, job, unique_key=f"{TICK}{tick.isoformat()}")
    taken = Conflict(f"{schedule.name} has already run at {tick}.")
    if job_id is None:
        raise taken
    run_id = await statements.insert_run(
        tx, schedule=schedule.name, tick=tick, day=job.day, fired_by=by, job_id=job_id
    )
    if run_id is None:
        raise taken
    return Triggered(run_id, job_id, job.day)
