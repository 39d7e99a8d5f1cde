"""The schedules: when each is due, in UTC, how long a missed tick is made up for, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NewType, TypeVar
from uuid import UUID

from msgspec import Struct

from app.jobs.job import Job, JobId

RunId = NewType("RunId", UUID)
RunState = Literal["running", "done", "dead", "cancelled", "skipped"]


class RunFacts(Struct, frozen=True):
    """What is known of a run, whichever way its counts are read."""

    id: RunId
    schedule: str
    tick: datetime
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
    """A firing, or a tick that was skipped."""

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


DAY = timedelta(days=1)
LONGEST = 32 * DAY
"""More than there can be between two ticks."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job is due: at this minute of these hours of these days, in UTC."""

    job: type[ScheduledJob]
    grace: timedelta
    """How late a missed tick is still caught up."""
    hour: int | None = None
    """None: every hour."""
    minute: int = 0
    weekday: int | None = None
    """0 is Monday."""
    day: int | None = None
    """Of the month."""
    each: bool = False
    """Every missed tick is caught up, and skipped ones too; otherwise only the last missed one."""
    dry_run: bool = False
    """Its job can count what it would do, and not do it."""

    @property
    def name(self) -> str:
        return self.job.kind

    def ticks(self, after: datetime, until: datetime) -> list[datetime]:
        """The ticks later than the one time and not later than the other, oldest first."""
        days = (until.date() - after.date()).days
        return [
            tick
            for offset in range(days + 1)
            for tick in self._ticks_of(after.date() + timedelta(days=offset))
            if after < tick <= until
        ]

    def next_tick(self, after: datetime) -> datetime:
        return self.ticks(after, after + LONGEST)[0]

    def last_tick(self, until: datetime) -> datetime:
        return self.ticks(until - LONGEST, until)[-1]

    def tick_about(self, day: date) -> datetime:
        """The tick whose run is about the period that this day is in: the first one after it."""
        midnight = datetime.combine(day, time(), UTC) + DAY
        return self.next_tick(midnight - timedelta.resolution)

    def _ticks_of(self, day: date) -> Iterator[datetime]:
        if self.weekday not in {None, day.weekday()} or self.day not in {None, day.day}:
            return
        for hour in range(24) if self.hour is None else (self.hour,):
            yield datetime.combine(day, time(hour, self.minute), UTC)


def day_about(tick: datetime) -> date:
    """The day that the run of a tick is about: the last one that was over, and its period."""
    return tick.date() - DAY


class ScheduledJob(Job, frozen=True):
    """A job that a schedule enqueues.

    `day` is the day, or the last day of the period, that it is about. A dry run only counts what
    the job would do.
    """

    day: date
    dry_run: bool = False


J = TypeVar("J", bound=type[ScheduledJob])

SCHEDULES: dict[str, Schedule] = {}
"""By name, which is the kind of the job; `scheduled` fills it."""


def scheduled(
    *,
    grace: timedelta,
    hour: int | None = None,
    minute: int = 0,
    weekday: int | None = None,
    day: int | None = None,
    each: bool = False,
    dry_run: bool = False,
) -> Callable[[J], J]:
    """Put a job type on a schedule. The arguments are the fields of `Schedule`.

    @scheduled(hour=2, grace=timedelta(days=1))
    class Cleanup(ScheduledJob, frozen=True):
        kind = "cleanup:daily"
    """

    def register(job_type: J) -> J:
        SCHEDULES[job_type.kind] = Schedule(
            job_type, grace, hour, minute, weekday, day, each, dry_run
        )
        return job_type

    return register
