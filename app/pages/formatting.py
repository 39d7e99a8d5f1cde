"""How pages write figures, times and periods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from app.email.formatting import day, distance, duration

UNITS = ("kB", "MB", "GB", "TB")


def count(number: int) -> str:
    """`1,204`."""
    return f"{number:,}"


def size(octets: int) -> str:
    """`512 B`, `66.1 MB`; a megabyte is a million bytes."""
    if octets < 1000:
        return f"{octets} B"
    amount = float(octets)
    for unit in UNITS:
        amount /= 1000
        if amount < 999.95 or unit == UNITS[-1]:
            return f"{amount:.1f} {unit}"
    raise AssertionError


def moment(when: datetime, *, seconds: bool = False) -> str:
    """`25 Nov 2026, 04:12 UTC`: what a script of ours puts into the reader's zone."""
    when = when.astimezone(UTC)
    clock = f"{when:%H:%M:%S}" if seconds else f"{when:%H:%M}"
    return f"{when.day} {when:%b %Y}, {clock} UTC"


def iso(when: datetime) -> str:
    """For machines: `2026-11-25T04:12:07Z`."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def calendar_day(when: date) -> str:
    """`25 Nov 2026`."""
    return f"{when.day} {when:%b %Y}"


def span(length: timedelta | float) -> str:
    """A length of time to its largest two units: `850 ms`, `4 s`, `2 min 5 s`, `3 h 20 min`."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10 and seconds % 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, below, smaller, lower in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {below}" + (f" {rest} {lower}" if rest else "")
    return f"{whole} s"


FUNCTIONS = {
    "count": count,
    "size": size,
    "moment": moment,
    "iso": iso,
    "calendar_day": calendar_day,
    "span": span,
    "day": day,
    "distance": distance,
    "duration": duration,
}
"""Known to every template under these names."""


Period = Literal["all", "month", "last_month", "year", "last_year", "days"]


class Days(NamedTuple):
    """Both inclusive; None: as far as there is anything."""

    first: date | None = None
    last: date | None = None


def _month(today: date) -> Days:
    return Days(today.replace(day=1), today)


def _last_month(today: date) -> Days:
    last = today.replace(day=1) - timedelta(days=1)
    return Days(last.replace(day=1), last)


def _year(today: date) -> Days:
    return Days(today.replace(month=1, day=1), today)


def _last_year(today: date) -> Days:
    return Days(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31))


PRESETS: dict[str, Callable[[date], Days]] = {
    "all": lambda _: Days(),
    "month": _month,
    "last_month": _last_month,
    "year": _year,
    "last_year": _last_year,
}


def choices(today: date) -> list[tuple[Period, str]]:
    """What a form offers, and in which words."""
    before = _last_month(today).first
    return [
        ("all", "All time"),
        ("month", f"This month ({today:%B})"),
        ("last_month", f"Last month ({before:%B})"),
        ("year", f"This year ({today.year})"),
        ("last_year", f"Last year ({today.year - 1})"),
        ("days", "Custom dates…"),
    ]
