"""Totals of activities, added up row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Protocol, TypeAlias

from app.activity_types import ActivityType

Row: TypeAlias = tuple[datetime, ActivityType, int, float | None, int | None, str | None]
"""An activity, as sent to a PDF subprocess: started_at (UTC), type, duration_s, distance_m,
calories, notes."""


class Totals(Protocol):
    """The totals of some activities, in metres, seconds and kcal."""

    @property
    def activities(self) -> int: ...
    @property
    def distance_m(self) -> float: ...
    @property
    def duration_s(self) -> int: ...
    @property
    def calories(self) -> int: ...


class RunningTotals:
    """Totals to which activities are added."""

    __slots__ = ("activities", "calories", "distance_m", "duration_s")

    def __init__(self) -> None:
        self.activities = 0
        self.distance_m = 0.0
        self.duration_s = 0
        self.calories = 0

    def add(self, duration_s: int, distance_m: float | None, calories: int | None) -> None:
        self.activities += 1
        self.duration_s += duration_s
        self.distance_m += distance_m or 0.0
        self.calories += calories or 0


class ActivityTotals:
    """The totals for all rows, for each UTC day and for each type."""

    def __init__(self) -> None:
        self.total = RunningTotals()
        self.by_day: defaultdict[date, RunningTotals] = defaultdict(RunningTotals)
        self.by_type: defaultdict[ActivityType, RunningTotals] = defaultdict(RunningTotals)

    def add_rows(self, rows: Iterable[Row]) -> None:
        for started_at, activity_type, duration_s, distance_m, calories, _ in rows:
            for totals in (
                self.total,
                self.by_day[started_at.date()],
                self.by_type[activity_type],
            ):
                totals.add(duration_s, distance_m, calories)
