"""What operators see of the schedules, and how they stop them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
import structlog

from app.jobs.job import JobId
from app.jobs.schedules import statements
from app.jobs.schedules.fire import known
from app.jobs.schedules.schedule import SCHEDULES, ScheduleRun, ScheduleState
from app.jobs.schedules.statements import RunRow
from app.postgres.database import Transaction
from app.postgres.statements import Queryable

log = structlog.get_logger()


async def list_schedules(db: Queryable, *, now: datetime | None = None) -> list[ScheduleState]:
    """Every schedule, in the order of the table."""
    now = now or await statements.clock(db)
    summaries = await statements.schedule_summaries(db, names=list(SCHEDULES))
    last_ids = [one.last_run_id for one in summaries if one.last_run_id]
    last = {row.id: _run(row) for row in await statements.runs_by_id(db, ids=last_ids)}
    return [
        ScheduleState(
            name=one.name,
            paused=one.paused_at is not None,
            paused_at=one.paused_at,
            next_run_at=None if one.paused_at else SCHEDULES[one.name].next_tick(now),
            last_run=last[one.last_run_id] if one.last_run_id else None,
            last_success_at=one.last_success_at,
            last_duration_s=one.last_duration_s,
            consecutive_failures=one.consecutive_failures,
        )
        for one in summaries
    ]


async def find_schedule(db: Queryable, name: str, *, now: datetime | None = None) -> ScheduleState:
    """
    Raises:
        NotFound: there is no such schedule.
    """
    known(name)
    (found,) = [one for one in await list_schedules(db, now=now) if one.name == name]
    return found


async def list_runs(db: Queryable, name: str, before: UUID | None, limit: int) -> list[ScheduleRun]:
    """At most `limit` runs of a schedule that follow `before`, newest first.

    Raises:
        NotFound: there is no such schedule.
    """
    known(name)
    return [
        _run(row)
        for row in await statements.runs_before(db, schedule=name, before=before, limit=limit)
    ]


async def run_of_job(db: Queryable, job_id: JobId) -> ScheduleRun | None:
    """The run that a job belongs to; None: it is no schedule's."""
    row = await statements.run_of_job(db, job_id=job_id)
    return None if row is None else _run(row)


async def pause_schedule(
    tx: Transaction, name: str, *, by: str, now: datetime | None = None
) -> None:
    """Have no tick fired until the schedule is resumed. What runs goes on.

    Raises:
        NotFound: there is no such schedule.
    """
    known(name)
    await statements.pause_schedule(tx, name=name, now=now or await statements.clock(tx))
    log.info("operator.paused_schedule", schedule=name, by=by)


async def resume_schedule(
    tx: Transaction, name: str, *, by: str, now: datetime | None = None
) -> None:
    """Have ticks fired again. Those that passed meanwhile are not caught up.

    Raises:
        NotFound: there is no such schedule.
    """
    known(name)
    await statements.resume_schedule(tx, name=name, now=now or await statements.clock(tx))
    log.info("operator.resumed_schedule", schedule=name, by=by)


def _run(row: RunRow) -> ScheduleRun:
    known_of_it = msgspec.structs.asdict(row)
    return ScheduleRun(**{**known_of_it, "counts": msgspec.json.decode(row.counts)})
