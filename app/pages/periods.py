"""The periods that a form offers, as the days that they are today. UTC's, as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Literal, NamedTuple

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
        ("all", "Everything"),
        ("month", f"This month ({today:%B})"),
        ("last_month", f"Last month ({before:%B})"),
        ("year", f"This year ({today.year})"),
        ("last_year", f"Last year ({today.year - 1})"),
        ("days", "Between two days …"),
    ]
