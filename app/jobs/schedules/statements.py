"""Signatures for the statements in `sql/queries/schedules.sql`."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from app.jobs.job import JobId, Queue
from app.jobs.schedules.schedule import RunFields, RunId, RunState
from app.postgres.statements import Queryable, statement


class LockedSchedule(Struct, frozen=True):
    decided_until: datetime
    paused: bool


class ScheduleSummary(Struct, frozen=True):
    name: str
    paused_at: datetime | None
    last_run_id: RunId | None
    last_success_at: datetime | None
    last_duration_s: float | None
    consecutive_failures: int


class RunRow(RunFields, frozen=True):
    """A run whose counts are still JSON text."""

    counts: str


class UnfinishedRun(Struct, frozen=True):
    """The age of a schedule's oldest unfinished run."""

    schedule: str
    seconds: float


class RunCount(Struct, frozen=True):
    schedule: str
    state: RunState
    runs: int


@statement("schedules")
async def clock(db: Queryable) -> datetime: ...


@statement("schedules")
async def register_schedule(db: Queryable, *, name: str, now: datetime) -> None: ...


@statement("schedules")
async def lock_schedule(db: Queryable, *, name: str) -> LockedSchedule | None: ...


@statement("schedules")
async def decide_until(db: Queryable, *, name: str, now: datetime) -> None: ...


@statement("schedules")
async def unfinished_job(db: Queryable, *, schedule: str) -> JobId | None: ...


@statement("schedules")
async def unfired_ticks(
    db: Queryable, *, schedule: str, ticks: list[datetime], skipped_since: datetime | None
) -> list[datetime]: ...


@statement("schedules")
async def insert_run(
    db: Queryable, *, schedule: str, tick: datetime, day: date, fired_by: str, job_id: JobId
) -> RunId | None: ...


@statement("schedules")
async def insert_skipped_run(
    db: Queryable, *, schedule: str, tick: datetime, day: date, note: str
) -> None: ...


@statement("schedules")
async def save_counts(db: Queryable, *, job_id: JobId, counts: str) -> None: ...


@statement("schedules")
async def pause_schedule(db: Queryable, *, name: str, now: datetime) -> None: ...


@statement("schedules")
async def resume_schedule(db: Queryable, *, name: str, now: datetime) -> None: ...


@statement("schedules")
async def schedule_summaries(db: Queryable, *, names: list[str]) -> list[ScheduleSummary]: ...


@statement("schedules")
async def runs_by_id(db: Queryable, *, ids: list[RunId]) -> list[RunRow]: ...


@statement("schedules")
async def runs_before(
    db: Queryable, *, schedule: str, before: UUID | None, limit: int
) -> list[RunRow]: ...


@statement("schedules")
async def run_of_job(db: Queryable, *, job_id: JobId) -> RunRow | None: ...


@statement("schedules")
async def unfinished_runs(db: Queryable) -> list[UnfinishedRun]: ...


@statement("schedules")
async def run_outcomes(db: Queryable) -> list[RunCount]: ...


@statement("schedules")
async def waiting_in_queue(db: Queryable, *, queue: Queue, limit: int) -> int: ...
