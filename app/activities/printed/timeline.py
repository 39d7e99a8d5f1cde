"""Days as bars: by day, and for longer periods by week, month or years, so that a chart can still
be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple

from app.activities.printed.wording import MONTHS
from app.pdf.chart import Bar

Unit = Literal["day", "week", "month", "year"]

MOST_BARS = 62
MOST_LABELS = 13


class Timeline(NamedTuple):
    unit: str
    """What a bar stands for: `day`, `week`, `month`, `year` or `5 years`."""
    bars: list[Bar]


def timeline(first: date, last: date, values: Mapping[date, float]) -> Timeline:
    """The values of the days of a period as at most `MOST_BARS` bars."""
    days = (last - first).days + 1
    if days <= MOST_BARS:
        return _made("day", 1, first, last, values)
    if days <= 7 * (MOST_BARS - 1):
        return _made("week", 1, first, last, values)
    if days <= 30 * (MOST_BARS - 1):
        return _made("month", 1, first, last, values)
    years = -(-(last.year - first.year + 1) // MOST_BARS)
    return _made("year", years, first, last, values)


def _made(unit: Unit, many: int, first: date, last: date, values: Mapping[date, float]) -> Timeline:
    sums: defaultdict[date, float] = defaultdict(float)
    for day, value in values.items():
        sums[_start(unit, many, day)] += value
    starts = _starts(unit, many, first, last)
    labels = _labels(unit, starts)
    bars = [Bar(sums[start], labels.get(start, "")) for start in starts]
    return Timeline(unit if many == 1 else f"{many} {unit}s", bars)


def _start(unit: Unit, many: int, day: date) -> date:
    """The first day of the bar that a day belongs to."""
    match unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday()) if day.toordinal() > 7 else day
        case "month":
            return day.replace(day=1)
        case "year":
            return date(max(1, day.year - day.year % many), 1, 1)


def _starts(unit: Unit, many: int, first: date, last: date) -> list[date]:
    """The first days of all bars."""
    start = _start(unit, many, first)
    match unit:
        case "day" | "week":
            step = 1 if unit == "day" else 7
            days = range(start.toordinal(), last.toordinal() + 1, step)
            return [date.fromordinal(day) for day in days]
        case "month":
            months = range(start.year * 12 + start.month - 1, last.year * 12 + last.month)
            return [date(month // 12, month % 12 + 1, 1) for month in months]
        case "year":
            return [date(year, 1, 1) for year in range(start.year, last.year + 1, many)]


def _labels(unit: Unit, starts: list[date]) -> dict[date, str]:
    """What stands below some of the bars. The first month, and each January, bears its year."""
    if unit == "year":
        every = -(-len(starts) // MOST_LABELS)
        return {start: str(start.year) for start in starts[::every]}
    if unit == "day":
        few = len(starts) <= MOST_LABELS
        named = [start for start in starts if few or start.weekday() == 0]
        return {start: f"{start.day} {MONTHS[start.month - 1]}" for start in named}
    if unit == "week":
        named = [start for start in starts if start.day <= 7]
    else:
        named = [start for start in starts if len(starts) <= MOST_LABELS or start.month in (1, 7)]
    return {start: _month(start, first=start == named[0]) for start in named}


def _month(day: date, *, first: bool) -> str:
    month = MONTHS[day.month - 1]
    return f"{month} {day.year}" if first or day.month == 1 else month
