"""Schedules: their ticks in UTC, how late a missed tick may be fired, and their runs."""

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


class RunFields(Struct, frozen=True):
    """The fields of a run that need no decoding."""

    id: RunId
    schedule: str
    tick: datetime
    """For a run triggered by hand: when it was triggered."""
    day: date
    """The day, or the last day of the period, that the run covers."""
    fired_by: str
    """`schedule`, `cli`, or the id of the operator who triggered the run."""
    state: RunState
    note: str | None
    """Why the tick was skipped."""
    job_id: JobId | None
    fired_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    error: str | None


class ScheduleRun(RunFields, frozen=True):
    """A run of a schedule, or a skipped tick."""

    counts: dict[str, int]
    """What the run has done so far."""


class ScheduleState(Struct, frozen=True):
    """The state of a schedule. `next_run_at` is null while the schedule is paused."""

    name: str
    paused: bool
    paused_at: datetime | None
    next_run_at: datetime | None
    last_run: ScheduleRun | None
    last_success_at: datetime | None
    last_duration_s: float | None
    """Duration of the last run that is done or dead."""
    consecutive_failures: int


class TriggeredRun(Struct, frozen=True):
    """A new run, whose job has just been enqueued."""

    run_id: RunId
    job_id: JobId
    day: date


DAY = timedelta(days=1)
MAX_TICK_INTERVAL = 32 * DAY
"""Longer than the time between any two consecutive ticks of a schedule."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a recurring job is due: the minute, hour and day of its ticks, in UTC."""

    job_type: type[ScheduledJob]
    grace: timedelta
    """The grace period: how late a missed tick may still be fired."""
    hour: int | None = None
    """None means every hour."""
    minute: int = 0
    weekday: int | None = None
    """0 is Monday. None means every day."""
    day: int | None = None
    """The day of the month. None means every day."""
    catch_up_all: bool = False
    """Whether to catch up on all missed and skipped ticks, not only on the last missed one."""
    supports_dry_run: bool = False
    """Whether the job supports dry runs."""

    @property
    def name(self) -> str:
        return self.job_type.kind

    def ticks(self, after: datetime, until: datetime) -> list[datetime]:
        """List the ticks later than `after` and not later than `until`, oldest first."""
        days = (until.date() - after.date()).days
        return [
            tick
            for offset in range(days + 1)
            for tick in self._ticks_on(after.date() + timedelta(days=offset))
            if after < tick <= until
        ]

    def next_tick(self, after: datetime) -> datetime:
        return self.ticks(after, after + MAX_TICK_INTERVAL)[0]

    def last_tick(self, until: datetime) -> datetime:
        return self.ticks(until - MAX_TICK_INTERVAL, until)[-1]

    def tick_covering(self, day: date) -> datetime:
        """Return the tick whose run covers this day: the first tick after the day has ended."""
        midnight = datetime.combine(day, time(), UTC) + DAY
        return self.next_tick(midnight - timedelta.resolution)

    def _ticks_on(self, day: date) -> Iterator[datetime]:
        if self.weekday not in {None, day.weekday()} or self.day not in {None, day.day}:
            return
        for hour in range(24) if self.hour is None else (self.hour,):
            yield datetime.combine(day, time(hour, self.minute), UTC)


def day_covered(tick: datetime) -> date:
    """Return the last day of the period that a tick's run covers: the day before the tick."""
    return tick.date() - DAY


class ScheduledJob(Job, frozen=True):
    """A job that a schedule enqueues.

    `day` is the day, or the last day of the period, that the job covers. A dry run only counts what
    would be done.
    """

    queue = "low"

    day: date
    dry_run: bool = False


J = TypeVar("J", bound=type[ScheduledJob])

SCHEDULES: dict[str, Schedule] = {}
"""All schedules by name, which is the kind of their job. `scheduled` registers them."""


def scheduled(
    *,
    grace: timedelta,
    hour: int | None = None,
    minute: int = 0,
    weekday: int | None = None,
    day: int | None = None,
    catch_up_all: bool = False,
    supports_dry_run: bool = False,
) -> Callable[[J], J]:
    """Put a job type on a schedule. The arguments are the fields of `Schedule`.

    @scheduled(hour=2, grace=timedelta(days=1))
    class Cleanup(ScheduledJob, frozen=True):
        kind = "cleanup:daily"
    """

    def register(job_type: J) -> J:
        SCHEDULES[job_type.kind] = Schedule(
            job_type, grace, hour, minute, weekday, day, catch_up_all, supports_dry_run
        )
        return job_type

    return register
