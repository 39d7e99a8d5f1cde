"""Schedules for operators: their state and runs, and pausing and resuming them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
import structlog

from app.jobs.job import JobId
from app.jobs.schedules import statements
from app.jobs.schedules.fire import require_schedule
from app.jobs.schedules.schedule import SCHEDULES, ScheduleRun, ScheduleState
from app.jobs.schedules.statements import RunRow
from app.postgres.database import Transaction
from app.postgres.statements import Queryable

log = structlog.get_logger()


async def list_schedules(db: Queryable, *, now: datetime | None = None) -> list[ScheduleState]:
    """List the schedules in the order in which they were registered."""
    now = now or await statements.clock(db)
    summaries = await statements.schedule_summaries(db, names=list(SCHEDULES))
    last_ids = [summary.last_run_id for summary in summaries if summary.last_run_id]
    last_runs = {row.id: _run(row) for row in await statements.runs_by_id(db, ids=last_ids)}
    return [
        ScheduleState(
            name=summary.name,
            paused=summary.paused_at is not None,
            paused_at=summary.paused_at,
            next_run_at=None if summary.paused_at else SCHEDULES[summary.name].next_tick(now),
            last_run=last_runs[summary.last_run_id] if summary.last_run_id else None,
            last_success_at=summary.last_success_at,
            last_duration_s=summary.last_duration_s,
            consecutive_failures=summary.consecutive_failures,
        )
        for summary in summaries
    ]


async def find_schedule(db: Queryable, name: str, *, now: datetime | None = None) -> ScheduleState:
    """Return the state of a schedule.

    Raises:
        NotFound: there is no such schedule.
    """
    require_schedule(name)
    schedules = await list_schedules(db, now=now)
    return next(schedule for schedule in schedules if schedule.name == name)


async def list_runs(db: Queryable, name: str, before: UUID | None, limit: int) -> list[ScheduleRun]:
    """List at most `limit` runs of a schedule older than `before`, newest first.

    Raises:
        NotFound: there is no such schedule.
    """
    require_schedule(name)
    return [
        _run(row)
        for row in await statements.runs_before(db, schedule=name, before=before, limit=limit)
    ]


async def run_of_job(db: Queryable, job_id: JobId) -> ScheduleRun | None:
    """Return the schedule run that a job belongs to, or None if it belongs to none."""
    row = await statements.run_of_job(db, job_id=job_id)
    return None if row is None else _run(row)


async def pause_schedule(
    tx: Transaction, name: str, *, by: str, now: datetime | None = None
) -> None:
    """Stop firing ticks until the schedule is resumed. A run in progress finishes.

    Raises:
        NotFound: there is no such schedule.
    """
    require_schedule(name)
    await statements.pause_schedule(tx, name=name, now=now or await statements.clock(tx))
    log.info("operator.paused_schedule", schedule=name, by=by)


async def resume_schedule(
    tx: Transaction, name: str, *, by: str, now: datetime | None = None
) -> None:
    """Fire ticks again. Ticks missed during the pause will not be fired.

    Raises:
        NotFound: there is no such schedule.
    """
    require_schedule(name)
    await statements.resume_schedule(tx, name=name, now=now or await statements.clock(tx))
    log.info("operator.resumed_schedule", schedule=name, by=by)


def _run(row: RunRow) -> ScheduleRun:
    fields = msgspec.structs.asdict(row)
    return ScheduleRun(**{**fields, "counts": msgspec.json.decode(row.counts)})
