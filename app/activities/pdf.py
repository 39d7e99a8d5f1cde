"""The parts of a PDF about activities: header, figures, charts and table.

Only PDF subprocesses import this module, since it loads fpdf2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import count
from typing import Literal, NamedTuple

from app.activities.formatting import (
    MONTHS,
    activity_count,
    hours_and_minutes,
    hours_minutes_seconds,
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
    LEFT,
    MARGIN,
    RIGHT,
    SMALL,
    SUBTITLE,
    TITLE,
    Canvas,
    Style,
)
from app.pdf.chart import (
    SHARE_BAR_HEIGHT,
    SHARE_ROW_HEIGHT,
    Bar,
    Box,
    Share,
    draw_bars,
    draw_shares,
)
from app.pdf.table import Column, Table
from app.pdf.text import drawable, shorten

Unit = Literal["day", "week", "month", "year"]

MAX_BARS = 62
MAX_LABELS = 13


class Timeline(NamedTuple):
    """The bars of a chart over time."""

    unit: str
    """The period of each bar: `day`, `week`, `month`, `year`, or for example `5 years`."""
    bars: list[Bar]


def timeline(first: date, last: date, values: Mapping[date, float]) -> Timeline:
    """Group the daily values in a period into at most `MAX_BARS` bars."""
    days = (last - first).days + 1
    if days <= MAX_BARS:
        return _timeline("day", 1, first, last, values)
    if days <= 7 * (MAX_BARS - 1):
        return _timeline("week", 1, first, last, values)
    if days <= 30 * (MAX_BARS - 1):
        return _timeline("month", 1, first, last, values)
    at_least = (last.year - first.year) // MAX_BARS + 1
    # A bar starts in a year divisible by `years`, so a period can touch one more bar than it fills.
    years = next(n for n in count(at_least) if last.year // n - first.year // n < MAX_BARS)
    return _timeline("year", years, first, last, values)


def _timeline(
    unit: Unit, per_bar: int, first: date, last: date, values: Mapping[date, float]
) -> Timeline:
    """Group daily values into bars of `per_bar` units each."""
    sums: defaultdict[date, float] = defaultdict(float)
    for day, value in values.items():
        sums[_start(unit, per_bar, day)] += value
    starts = _starts(unit, per_bar, first, last)
    labels = _labels(unit, starts)
    bars = [Bar(sums[start], labels.get(start, "")) for start in starts]
    return Timeline(unit if per_bar == 1 else f"{per_bar} {unit}s", bars)


def _start(unit: Unit, per_bar: int, day: date) -> date:
    """Return the first day of the bar that a day belongs to."""
    match unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday()) if day.toordinal() > 7 else day
        case "month":
            return day.replace(day=1)
        case "year":
            return date(max(1, day.year - day.year % per_bar), 1, 1)


def _starts(unit: Unit, per_bar: int, first: date, last: date) -> list[date]:
    """Return the first day of every bar."""
    start = _start(unit, per_bar, first)
    match unit:
        case "day" | "week":
            step = 1 if unit == "day" else 7
            days = range(start.toordinal(), last.toordinal() + 1, step)
            return [date.fromordinal(day) for day in days]
        case "month":
            months = range(start.year * 12 + start.month - 1, last.year * 12 + last.month)
            return [date(month // 12, month % 12 + 1, 1) for month in months]
        case "year":
            return [date(year, 1, 1) for year in range(start.year, last.year + 1, per_bar)]


def _labels(unit: Unit, starts: list[date]) -> dict[date, str]:
    """Label some of the bars. The first month label and every January's include the year."""
    if unit == "year":
        step = -(-len(starts) // MAX_LABELS)
        return {start: str(start.year) for start in starts[::step]}
    if unit == "day":
        label_all = len(starts) <= MAX_LABELS
        labelled = [start for start in starts if label_all or start.weekday() == 0]
        return {start: f"{start.day} {MONTHS[start.month - 1]}" for start in labelled}
    if unit == "week":
        labelled = [start for start in starts if start.day <= 7]
    else:
        labelled = [start for start in starts if len(starts) <= MAX_LABELS or start.month in (1, 7)]
    return {start: _month_label(start, first=start == labelled[0]) for start in labelled}


def _month_label(day: date, *, first: bool) -> str:
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
MAX_NOTES_CHARACTERS = 1000
"""Further characters are ignored: a cell does not even have room for this many."""


class ActivityTable:
    """The table of activities, drawn row by row."""

    def __init__(self, canvas: Canvas, top: float) -> None:
        self._table = Table(canvas, COLUMNS, top)

    def add_rows(self, rows: Iterable[Row]) -> None:
        for started_at, activity_type, duration_s, distance_m, calories, notes in rows:
            self._table.add_row(
                short_day(started_at),
                ACTIVITY_TYPES[activity_type].label,
                hours_minutes_seconds(duration_s),
                "" if distance_m is None else f"{distance_m / 1000:,.2f}",
                "" if calories is None else f"{calories:,}",
                drawable(notes[:MAX_NOTES_CHARACTERS]) if notes else "",
            )

    def add_note(self, text: str) -> None:
        """Draw a line of text below the last activity."""
        self._table.add_note(text)


WIDTH = RIGHT - LEFT
FIGURES_TOP, CHART_TOP, SHARES_TOP = 176.0, 262.0, 414.0
CHART_HEIGHT = 122.0
NAME = Style("sans", 11, palette.INK)
FIGURE_COLUMNS = ((0.0, 0.19), (0.21, 0.24), (0.47, 0.26), (0.75, 0.25))
"""The left edge and the width of each of the four figures, as fractions of `WIDTH`."""


class Figure(NamedTuple):
    """A number with its label, and a note below it."""

    label: str
    value: str
    note: str = ""


def draw_header(canvas: Canvas, title: str, name: str, subtitle: str, created_at: datetime) -> None:
    """Draw our logo, the creation date, the title, the user's name and the subtitle."""
    for number, (height, color) in enumerate(
        [(9, palette.LIGHT_GREEN), (20, palette.GREEN), (14, palette.MID_GREEN)]
    ):
        canvas.rectangle(LEFT + number * 6.4, MARGIN + 14 - height * 0.8, 4, height * 0.8, color)
    canvas.write_text(LEFT + 26, MARGIN + 13, "ActiveLog", Style("sans", 11, palette.INK))
    canvas.write_text(RIGHT, MARGIN + 13, f"Created on {long_day(created_at)}", SMALL, "right")
    canvas.write_text(LEFT, 112, title, TITLE)
    canvas.write_text(LEFT, 134, shorten(canvas, drawable(name), NAME, WIDTH), NAME)
    canvas.write_text(LEFT, 150, subtitle, SUBTITLE)


def totals_as_figures(total: Totals) -> list[Figure]:
    """Format totals as the four figures."""
    return [
        Figure("Activities", f"{total.activities:,}"),
        Figure("Distance", kilometres(total.distance_m)),
        Figure("Time", hours_and_minutes(total.duration_s)),
        Figure("Energy", f"{total.calories:,} kcal"),
    ]


def draw_figures(canvas: Canvas, figures: Sequence[Figure]) -> None:
    """Draw the four figures side by side. Large values are set smaller, so that they fit."""
    canvas.rule(LEFT, FIGURES_TOP - 10, WIDTH)
    for figure, (left, width) in zip(figures, FIGURE_COLUMNS, strict=True):
        x = LEFT + left * WIDTH
        canvas.write_text(x, FIGURES_TOP + 10, figure.label, LABEL)
        size = FIGURE.size * min(1.0, width * WIDTH / canvas.measure(figure.value, FIGURE))
        canvas.write_text(x, FIGURES_TOP + 34, figure.value, FIGURE._replace(size=size))
        canvas.write_text(x, FIGURES_TOP + 49, figure.note, LABEL)


def draw_timeline(canvas: Canvas, first: date, last: date, days: Mapping[date, Totals]) -> None:
    """Chart the distance by day or longer period, or the time if no activity has a distance."""
    has_distance = any(day.distance_m for day in days.values())
    if has_distance:
        values = {day: total.distance_m / 1000 for day, total in days.items()}
    else:
        values = {day: total.duration_s / 3600 for day, total in days.items()}
    unit, bars = timeline(first, last, values)
    heading = f"{'Distance' if has_distance else 'Time'} by {unit}"
    canvas.write_text(LEFT, CHART_TOP - 10, heading, HEADING)
    box = Box(LEFT, CHART_TOP + 8, WIDTH, CHART_HEIGHT)
    draw_bars(canvas, box, bars, "km" if has_distance else "hours")


def shares_bottom(types: int = 6) -> float:
    """Return the vertical position at which the shares of this many types end."""
    return SHARES_TOP + 12 + SHARE_BAR_HEIGHT + 12 + -(-types // 2) * SHARE_ROW_HEIGHT


def draw_type_shares(canvas: Canvas, types: Mapping[ActivityType, Totals]) -> None:
    """Draw each type's share of the total time, not of the distance, which some activities lack."""
    canvas.write_text(LEFT, SHARES_TOP, "Time by type", HEADING)
    ranked = sorted(types.items(), key=lambda item: -item[1].duration_s)
    parts = [
        Share(ACTIVITY_TYPES[activity_type].label, total.duration_s, _share_details(total))
        for activity_type, total in ranked
    ]
    draw_shares(canvas, Box(LEFT, SHARES_TOP + 12, WIDTH, shares_bottom() - SHARES_TOP), parts)


def _share_details(total: Totals) -> str:
    parts = [activity_count(total.activities), hours_and_minutes(total.duration_s)]
    if total.distance_m:
        parts.insert(1, kilometres(total.distance_m))
    return " · ".join(parts)
