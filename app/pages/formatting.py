"""Formatting numbers, times and periods for pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from app.email.formatting import day, distance, duration

UNITS = ("kB", "MB", "GB", "TB")


def count(number: int) -> str:
    """Format a number: `1,204`."""
    return f"{number:,}"


def size(byte_count: int) -> str:
    """Format a size: `512 B`, `66.1 MB`. A megabyte is a million bytes."""
    if byte_count < 1000:
        return f"{byte_count} B"
    amount = float(byte_count)
    for unit in UNITS:
        amount /= 1000
        if amount < 999.95 or unit == UNITS[-1]:
            return f"{amount:.1f} {unit}"
    raise AssertionError


def moment(when: datetime, *, seconds: bool = False) -> str:
    """Format a time: `25 Nov 2026, 04:12 UTC`. A script converts it to the reader's time zone."""
    when = when.astimezone(UTC)
    clock = f"{when:%H:%M:%S}" if seconds else f"{when:%H:%M}"
    return f"{when.day} {when:%b %Y}, {clock} UTC"


def iso(when: datetime) -> str:
    """Format a time for scripts: `2026-11-25T04:12:07Z`."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def calendar_day(when: date) -> str:
    """Format a date: `25 Nov 2026`."""
    return f"{when.day} {when:%b %Y}"


def span(length: timedelta | float) -> str:
    """Format a duration in its two largest units: `850 ms`, `4 s`, `2 min 5 s`, `3 h 20 min`.

    Args:
        length: the duration, in seconds if it is a number.
    """
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95 and seconds % 1:
        return f"{seconds:.1f} s"
    rounded = round(seconds)
    for unit_s, unit, smaller_s, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if rounded >= unit_s:
            rest = rounded % unit_s // smaller_s
            return f"{rounded // unit_s} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{rounded} s"


def days(length: timedelta) -> str:
    """Format a whole number of days: `1 day`, `90 days`."""
    return "1 day" if length.days == 1 else f"{length.days} days"


TEMPLATE_FUNCTIONS = {
    "count": count,
    "size": size,
    "moment": moment,
    "iso": iso,
    "calendar_day": calendar_day,
    "span": span,
    "day": day,
    "days": days,
    "distance": distance,
    "duration": duration,
}
"""The functions that every page template can call."""


Period = Literal["all", "month", "last_month", "year", "last_year", "days"]


class DateRange(NamedTuple):
    """A range of days. Both ends are included; None means no limit."""

    first: date | None = None
    last: date | None = None


def _month(today: date) -> DateRange:
    return DateRange(today.replace(day=1), today)


def _last_month(today: date) -> DateRange:
    last = today.replace(day=1) - timedelta(days=1)
    return DateRange(last.replace(day=1), last)


def _year(today: date) -> DateRange:
    return DateRange(today.replace(month=1, day=1), today)


def _last_year(today: date) -> DateRange:
    return DateRange(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31))


PRESETS: dict[str, Callable[[date], DateRange]] = {
    "all": lambda _: DateRange(),
    "month": _month,
    "last_month": _last_month,
    "year": _year,
    "last_year": _last_year,
}


def period_choices(today: date) -> list[tuple[Period, str]]:
    """Return the periods that the export form offers, with their labels."""
    last_month = _last_month(today).first
    return [
        ("all", "All time"),
        ("month", f"This month ({today:%B})"),
        ("last_month", f"Last month ({last_month:%B})"),
        ("year", f"This year ({today.year})"),
        ("last_year", f"Last year ({today.year - 1})"),
        ("days", "Custom dates…"),
    ]
