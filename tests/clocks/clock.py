"""Points in time that expose a test's assumptions about the date or the time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

SHIFT, ZONE = "CLOCK_SHIFT_S", "CLOCK_ZONE"
"""Environment variables: the seconds by which the clock is shifted, and the machine's zone."""
SUNDAY = 6
LONGEST_LEAP_GAP_YEARS = 8
"""The longest gap between leap days, in years: for example from 1896 to 1904."""


class Clock(NamedTuple):
    """The time and the zone that a machine's clock shows when the tests start."""

    name: str
    starts_at: datetime
    zone: str
    """The machine's IANA time zone."""


def clocks(now: datetime) -> Sequence[Clock]:
    """Return all clocks. No clock shows a time before `now`.

    Args:
        now: the real time in UTC.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    sunday = midnight + timedelta(days=(SUNDAY - now.weekday() - 1) % 7 + 1)
    return (
        Clock("sunday", sunday + timedelta(hours=8, minutes=59, seconds=30), "UTC"),
        Clock("year-end", _year_end(now), "Pacific/Kiritimati"),
        Clock("leap-day", _leap_day(now), "UTC"),
        Clock("ahead", now + timedelta(days=40), "America/St_Johns"),
        Clock("decade", now + timedelta(days=3653), "Europe/Berlin"),
    )


def _year_end(now: datetime) -> datetime:
    """Return 23:59 UTC on the next 31 December."""
    this = datetime(now.year, 12, 31, 23, 59, tzinfo=UTC)
    return this if this > now else this.replace(year=now.year + 1)


def _leap_day(now: datetime) -> datetime:
    """Return noon on the next 29 February."""
    for year in range(now.year, now.year + LONGEST_LEAP_GAP_YEARS + 1):
        try:
            noon = datetime(year, 2, 29, 12, tzinfo=UTC)
        except ValueError:
            continue
        if noon > now:
            return noon
    raise AssertionError(f"there is no 29 February within {LONGEST_LEAP_GAP_YEARS} years of {now}")
