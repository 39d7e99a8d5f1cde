"""Firing: insert a tick's run and job in one transaction, exactly once.

Any worker may call `fire_due` at any time: the schedule's row says which ticks have been decided.
Workers pass the time from Postgres's clock; tests may pass another time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import structlog

from app.errors import Conflict, Invalid, NotFound
from app.jobs.enqueue import enqueue
from app.jobs.job import JobId
from app.jobs.schedules import statements
from app.jobs.schedules.schedule import (
    SCHEDULES,
    Schedule,
    ScheduledJob,
    TriggeredRun,
    day_covered,
)
from app.postgres.database import Database, Transaction

log = structlog.get_logger()

BY_SCHEDULE = "schedule"
UNIQUE_KEY_PREFIX = "tick "
"""The prefix of scheduled jobs' unique keys. A Postgres trigger recognizes the jobs by it."""


async def fire_due(database: Database, *, now: datetime) -> list[JobId]:
    """Fire the due ticks of every schedule that no other worker is deciding on.

    Returns:
        The ids of the jobs that were enqueued.

    Raises:
        Unavailable: Postgres is unavailable.
    """
    fired: list[JobId] = []
    for schedule in SCHEDULES.values():
        await statements.register_schedule(database, name=schedule.name, now=now)
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
    fields: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> TriggeredRun:
    """Enqueue a schedule's job now, as if a tick were due. The regular ticks are not affected.

    Args:
        day: any day in the period to cover; None means the last complete period.
        dry_run: only count what would be done; not every job supports this.
        fields: other fields of the job.

    Raises:
        NotFound: there is no such schedule.
        Invalid: the period is not over, or the job does not support dry runs.
        Conflict: the schedule has already been triggered at the same instant.
    """
    schedule = require_schedule(name)
    now = now or await statements.clock(tx)
    covered = _day_to_cover(schedule, day, now)
    if dry_run and not schedule.supports_dry_run:
        raise Invalid(f"{name} does not support a dry run.", field="dry_run")
    job = schedule.job_type(day=covered, dry_run=dry_run, **(fields or {}))
    run = await _begin(tx, schedule, now, job, by)
    log.info(
        "operator.triggered_schedule",
        schedule=name,
        day=str(covered),
        dry_run=dry_run,
        by=by,
        job=str(run.job_id),
    )
    return run


def require_schedule(name: str) -> Schedule:
    """Return the schedule with this name.

    Raises:
        NotFound: there is no such schedule; the message lists those that exist.
    """
    if schedule := SCHEDULES.get(name):
        return schedule
    raise NotFound(f"There is no schedule {name!r}: the schedules are {', '.join(SCHEDULES)}.")


def _day_to_cover(schedule: Schedule, day: date | None, now: datetime) -> date:
    """Return the last day of the period that a run covers.

    Raises:
        Invalid: the period is not over.
    """
    if day is None:
        return day_covered(schedule.last_tick(now))
    if day >= now.date():
        raise Invalid("That day is not over yet.", field="date")
    last_day = day_covered(schedule.tick_covering(day))
    if last_day >= now.date():
        raise Invalid(
            f"The period that includes that day is not over until the end of {last_day}.",
            field="date",
        )
    return last_day


async def _decide(tx: Transaction, schedule: Schedule, now: datetime) -> list[JobId]:
    """Fire, skip or drop the ticks since the last decision."""
    locked = await statements.lock_schedule(tx, name=schedule.name)
    if locked is None or locked.paused:
        return []
    since = now - schedule.grace
    missed = schedule.ticks(locked.decided_until, now)
    due = [tick for tick in (missed if schedule.catch_up_all else missed[-1:]) if tick >= since]
    if len(due) < len(missed):
        log.warning("schedule.ticks_dropped", schedule=schedule.name, ticks=len(missed) - len(due))
    await statements.decide_until(tx, name=schedule.name, now=now)
    running = await statements.unfinished_job(tx, schedule=schedule.name)
    if running is not None:
        return await _skip(tx, schedule, due, running)
    skipped_since = since if schedule.catch_up_all else None
    return await _fire(
        tx,
        schedule,
        await statements.unfired_ticks(
            tx, schedule=schedule.name, ticks=due, skipped_since=skipped_since
        ),
    )


async def _skip(
    tx: Transaction, schedule: Schedule, ticks: Sequence[datetime], running: JobId
) -> list[JobId]:
    for tick in ticks:
        log.warning(
            "schedule.tick_skipped", schedule=schedule.name, tick=str(tick), running=str(running)
        )
        note = f"job {running} of an earlier run had not finished"
        await statements.insert_skipped_run(
            tx, schedule=schedule.name, tick=tick, day=day_covered(tick), note=note
        )
    return []


async def _fire(tx: Transaction, schedule: Schedule, ticks: Sequence[datetime]) -> list[JobId]:
    fired = []
    for tick in ticks:
        run = await _begin(
            tx, schedule, tick, schedule.job_type(day=day_covered(tick)), BY_SCHEDULE
        )
        log.info("schedule.tick_fired", schedule=schedule.name, tick=str(tick), job=str(run.job_id))
        fired.append(run.job_id)
    return fired


async def _begin(
    tx: Transaction, schedule: Schedule, tick: datetime, job: ScheduledJob, by: str
) -> TriggeredRun:
    """Enqueue the job for a tick, and insert the tick's run.

    Raises:
        Conflict: the tick already has a run.
    """
    job_id = await enqueue(tx, job, unique_key=f"{UNIQUE_KEY_PREFIX}{tick.isoformat()}")
    conflict = Conflict(f"{schedule.name} already has a run at {tick}.")
    if job_id is None:
        raise conflict
    run_id = await statements.insert_run(
        tx, schedule=schedule.name, tick=tick, day=job.day, fired_by=by, job_id=job_id
    )
    if run_id is None:
        raise conflict
    return TriggeredRun(run_id, job_id, job.day)
