"""The pages of a PDF about activities: summary, charts over time and the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from app.activities.formatting import (
    MONTHS,
    clock,
    count,
    hours,
    kilometres,
    long_day,
    short_day,
)
from app.activities.totals import Row, Totals
from app.activity_types import ACTIVITY_TYPES, ActivityType
from app.pdf import palette
from app.pdf.canvas import (
    FIGURE,
    HEADING,
    LABEL,
    LEAD,
    LEFT,
    MARGIN,
    RIGHT,
    SMALL,
    TITLE,
    Canvas,
    Style,
)
from app.pdf.chart import SHARE_BAR, SHARE_ROW, Bar, Box, Part, bars, shares
from app.pdf.table import Column, Table
from app.pdf.text import drawable, fitted

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


COLUMNS = (
    Column("Date", 58),
    Column("Type", 30),
    Column("Time", 44, "right"),
    Column("km", 48, "right"),
    Column("kcal", 42, "right"),
    Column("Notes", 0),
)
LONGEST_NOTES = 1000
"""Characters that are looked at; a cell has room for fewer."""


class Listing:
    """Draws each activity as it comes."""

    def __init__(self, canvas: Canvas, top: float) -> None:
        self._table = Table(canvas, COLUMNS, top)

    def add(self, rows: Iterable[Row]) -> None:
        for started_at, kind, duration_s, distance_m, calories, notes in rows:
            self._table.row(
                short_day(started_at),
                ACTIVITY_TYPES[kind].label,
                clock(duration_s),
                "" if distance_m is None else f"{distance_m / 1000:,.2f}",
                "" if calories is None else f"{calories:,}",
                drawable(notes[:LONGEST_NOTES]) if notes else "",
            )

    def note(self, text: str) -> None:
        """Words below the last activity."""
        self._table.note(text)


WIDTH = RIGHT - LEFT
FIGURES_TOP, CHART_TOP, SHARES_TOP = 176.0, 262.0, 414.0
CHART_HEIGHT = 122.0
NAME = Style("sans", 11, palette.INK)


FIGURES = ((0.0, 0.19), (0.21, 0.24), (0.47, 0.26), (0.75, 0.25))
"""Where each of four begins, and how wide it is: parts of the width."""


class Figure(NamedTuple):
    label: str
    value: str
    note: str = ""


def head(canvas: Canvas, title: str, name: str, lead: str, made_at: datetime) -> None:
    """Our mark, the title, and below it the person's name and some words."""
    for number, (tall, color) in enumerate(
        [(9, palette.LIGHT_GREEN), (20, palette.GREEN), (14, palette.MID_GREEN)]
    ):
        canvas.rectangle(LEFT + number * 6.4, MARGIN + 14 - tall * 0.8, 4, tall * 0.8, color)
    canvas.write_text(LEFT + 26, MARGIN + 13, "ActiveLog", Style("sans", 11, palette.INK))
    canvas.write_text(RIGHT, MARGIN + 13, f"Created on {long_day(made_at)}", SMALL, "right")
    canvas.write_text(LEFT, 112, title, TITLE)
    person = fitted(canvas, drawable(name), NAME, WIDTH)
    canvas.write_text(LEFT, 134, person, NAME)
    canvas.write_text(LEFT, 150, lead, LEAD)


def total_figures(total: Totals) -> list[Figure]:
    return [
        Figure("Activities", f"{total.activities:,}"),
        Figure("Distance", kilometres(total.distance_m)),
        Figure("Time", hours(total.duration_s)),
        Figure("Energy", f"{total.calories:,} kcal"),
    ]


def figures(canvas: Canvas, shown: Sequence[Figure]) -> None:
    """The four figures that matter, beside each other."""
    canvas.rule(LEFT, FIGURES_TOP - 10, WIDTH)
    for figure, (start, part) in zip(shown, FIGURES, strict=True):
        x = LEFT + start * WIDTH
        canvas.write_text(x, FIGURES_TOP + 10, figure.label, LABEL)
        size = FIGURE.size * min(1.0, part * WIDTH / canvas.measure(figure.value, FIGURE))
        canvas.write_text(x, FIGURES_TOP + 34, figure.value, FIGURE._replace(size=size))
        canvas.write_text(x, FIGURES_TOP + 49, figure.note, LABEL)


def over_time(canvas: Canvas, first: date, last: date, days: Mapping[date, Totals]) -> None:
    """How far, by day or longer; how long, when nothing of it has a distance."""
    far = any(day.distance_m for day in days.values())
    if far:
        values = {day: total.distance_m / 1000 for day, total in days.items()}
    else:
        values = {day: total.duration_s / 3600 for day, total in days.items()}
    unit, shown = timeline(first, last, values)
    what = "Distance" if far else "Time"
    canvas.write_text(LEFT, CHART_TOP - 10, f"{what} by {unit}", HEADING)
    box = Box(LEFT, CHART_TOP + 8, WIDTH, CHART_HEIGHT)
    bars(canvas, box, [Bar(*bar) for bar in shown], "km" if far else "hours")


def shares_end(types: int = len(ACTIVITY_TYPES)) -> float:
    """Where the shares of so many types end."""
    return SHARES_TOP + 12 + SHARE_BAR + 12 + -(-types // 2) * SHARE_ROW


def by_type(canvas: Canvas, types: Mapping[ActivityType, Totals]) -> None:
    """The share of the time that each type has: every activity takes some."""
    canvas.write_text(LEFT, SHARES_TOP, "Time by type", HEADING)
    ranked = sorted(types.items(), key=lambda item: -item[1].duration_s)
    parts = [
        Part(ACTIVITY_TYPES[kind].label, total.duration_s, _told(total)) for kind, total in ranked
    ]
    shares(canvas, Box(LEFT, SHARES_TOP + 12, WIDTH, shares_end() - SHARES_TOP), parts)


def _told(total: Totals) -> str:
    parts = [count(total.activities), hours(total.duration_s)]
    if total.distance_m:
        parts.insert(1, kilometres(total.distance_m))
    return " · ".join(parts)
