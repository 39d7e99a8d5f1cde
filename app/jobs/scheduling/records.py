"""Schedules and their runs, as they are read."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, NewType
from uuid import UUID

from msgspec import Struct

from app.jobs.job import JobId

RunId = NewType("RunId", UUID)
RunState = Literal["going", "done", "dead", "cancelled", "skipped"]


class RunFacts(Struct, frozen=True):
    """What is known of a run, whichever way its counts are read."""

    id: RunId
    schedule: str
    slot: datetime
    """Of a run that a person asked for: when that was."""
    day: date
    """The day, or the last day of the period, that it is about."""
    fired_by: str
    """`schedule`, `cli`, or the id of the operator who asked for it."""
    state: RunState
    note: str | None
    """Why it was skipped."""
    job_id: JobId | None
    fired_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    error: str | None


class ScheduleRun(RunFacts, frozen=True):
    """A firing, or a slot that was skipped."""

    counts: dict[str, int]
    """What it did so far."""


class ScheduleState(Struct, frozen=True):
    """A schedule. `next_run_at` is null while it is paused."""

    name: str
    paused: bool
    paused_at: datetime | None
    next_run_at: datetime | None
    last_run: ScheduleRun | None
    last_success_at: datetime | None
    last_duration_s: float | None
    """How long the last run took that was done or died."""
    consecutive_failures: int


class Triggered(Struct, frozen=True):
    """A run that a person asked for, and its job."""

    run_id: RunId
    job_id: JobId
    day: date
