"""A user's totals: activities, distance, time and energy for a day or several days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec import Struct


class DayTotals(Struct, frozen=True):
    """The totals for a UTC day, in metres, seconds and kcal; zero on a day without activities."""

    day: date
    activities: int
    distance_m: float
    duration_s: int
    calories: int


class PeriodTotals(Struct, frozen=True):
    """The totals for several days, in the same units."""

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
