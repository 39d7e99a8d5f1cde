"""What a person did in some days, as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec import Struct


class DayTotals(Struct, frozen=True):
    """The totals of a UTC day, zero when nothing was done, in metres, seconds and kcal."""

    day: date
    activities: int
    distance_m: float
    duration_s: int
    calories: int


class PeriodTotals(Struct, frozen=True):
    """The totals of several days."""

    activities: int
    distance_m: float
    duration_s: int
    calories: int


def total(days: Sequence[DayTotals]) -> PeriodTotals:
    return PeriodTotals(
        sum(day.activities for day in days),
        sum(day.distance_m for day in days),
        sum(day.duration_s for day in days),
        sum(day.calories for day in days),
    )
