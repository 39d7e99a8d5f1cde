"""What rows add up to, while they pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Protocol, TypeAlias

from app.activity_types import ActivityType

Row: TypeAlias = tuple[datetime, ActivityType, int, float | None, int | None, str | None]
"""An activity as it is sent to be drawn: started_at (UTC), type, duration_s, distance_m, calories,
notes."""


class Totals(Protocol):
    """Of some activities, in metres, seconds and kcal."""

    @property
    def activities(self) -> int: ...
    @property
    def distance_m(self) -> float: ...
    @property
    def duration_s(self) -> int: ...
    @property
    def calories(self) -> int: ...


class Sum:
    """Totals in the making."""

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


class Sums:
    """Of all rows, of each UTC day and of each type."""

    def __init__(self) -> None:
        self.total = Sum()
        self.days: defaultdict[date, Sum] = defaultdict(Sum)
        self.types: defaultdict[ActivityType, Sum] = defaultdict(Sum)

    def add(self, rows: Iterable[Row]) -> None:
        for started_at, kind, duration_s, distance_m, calories, _ in rows:
            for part in (self.total, self.days[started_at.date()], self.types[kind]):
                part.add(duration_s, distance_m, calories)
