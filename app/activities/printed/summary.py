"""The first page: whose activities, of when, what they add up to, and two charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from app.activities.activity import ActivityType
from app.activities.printed.sums import Totals
from app.activities.printed.timeline import timeline
from app.activities.printed.wording import TYPES, count, hours, kilometres, long_day
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
from app.pdf.drawable import drawable
from app.pdf.lines import fitted

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
    canvas.write_text(RIGHT, MARGIN + 13, f"Made on {long_day(made_at)}", SMALL, "right")
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


def shares_end(types: int = 6) -> float:
    """Where the shares of so many types end."""
    return SHARES_TOP + 12 + SHARE_BAR + 12 + -(-types // 2) * SHARE_ROW


def by_type(canvas: Canvas, types: Mapping[ActivityType, Totals]) -> None:
    """The share of the time that each type has: every activity takes some."""
    canvas.write_text(LEFT, SHARES_TOP, "Share of the time by type", HEADING)
    ranked = sorted(types.items(), key=lambda item: -item[1].duration_s)
    parts = [Part(TYPES[kind][0], total.duration_s, _told(total)) for kind, total in ranked]
    shares(canvas, Box(LEFT, SHARES_TOP + 12, WIDTH, shares_end() - SHARES_TOP), parts)


def _told(total: Totals) -> str:
    parts = [count(total.activities), hours(total.duration_s)]
    if total.distance_m:
        parts.insert(1, kilometres(total.distance_m))
    return " · ".join(parts)
