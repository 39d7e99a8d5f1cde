"""Charts as vector graphics: bars over time, and the shares of a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from app.pdf import palette
from app.pdf.canvas import BODY, LABEL, SMALL, Canvas
from app.pdf.text import shorten

AXIS_WIDTH = 34.0
"""Room for the labels of the scale, on the left."""
MAX_BAR_WIDTH = 22.0
SHARE_BAR_HEIGHT = 12.0
SHARE_ROW_HEIGHT = 17.0


class Box(NamedTuple):
    """The area of a chart, in points."""

    x: float
    y: float
    width: float
    height: float


class Bar(NamedTuple):
    """A bar, and the label below it. The label may be empty."""

    value: float
    label: str = ""


class Share(NamedTuple):
    """A part of a whole, and its text in the legend."""

    name: str
    value: float
    details: str


def draw_bars(canvas: Canvas, box: Box, values: Sequence[Bar], unit: str) -> None:
    """Draw bars from left to right, with a scale of round numbers."""
    top, step = scale(max((bar.value for bar in values), default=0))
    floor, height = box.y + box.height - 16, box.height - 26
    for number in range(round(top / step) + 1):
        value = number * step
        y = floor - value / top * height
        canvas.rule(
            box.x + AXIS_WIDTH, y, box.width - AXIS_WIDTH, palette.RULE if value else "#c9c4b8"
        )
        label = f"{value:,.10g}"
        canvas.write_text(box.x + AXIS_WIDTH - 8, y + 2.7, label, SMALL, "right")
    canvas.write_text(box.x, box.y + 2, unit, SMALL)
    pitch = (box.width - AXIS_WIDTH) / max(1, len(values))
    bar_width = min(MAX_BAR_WIDTH, pitch * 0.68)
    for number, bar in enumerate(values):
        middle = box.x + AXIS_WIDTH + (number + 0.5) * pitch
        if bar.value > 0:
            bar_height = max(1.0, bar.value / top * height)
            canvas.rectangle(
                middle - bar_width / 2, floor - bar_height, bar_width, bar_height, palette.GREEN
            )
        if bar.label:
            half = canvas.measure(bar.label, SMALL) / 2
            center = min(middle, box.x + box.width - half)
            canvas.write_text(center, floor + 13, bar.label, SMALL, "center")


def draw_shares(canvas: Canvas, box: Box, parts: Sequence[Share]) -> None:
    """Draw one divided bar, and a legend in two columns below it.

    Args:
        parts: at most six, largest first.
    """
    whole = sum(part.value for part in parts) or 1
    x = box.x
    for part, color in zip(parts, palette.SHARES, strict=False):
        width = part.value / whole * box.width
        canvas.rectangle(x, box.y, max(width - 1.2, 0.4), SHARE_BAR_HEIGHT, color)
        x += width
    column = (box.width - 24) / 2
    for number, (part, color) in enumerate(zip(parts, palette.SHARES, strict=False)):
        left = box.x + (number % 2) * (column + 24)
        baseline = box.y + SHARE_BAR_HEIGHT + 20 + number // 2 * SHARE_ROW_HEIGHT
        canvas.rectangle(left, baseline - 6.5, 7, 7, color)
        canvas.write_text(left + 14, baseline, part.name, BODY)
        canvas.write_text(left + 62, baseline, percent(part.value / whole), BODY, "left")
        details = shorten(canvas, part.details, LABEL, column - 96)
        canvas.write_text(left + column, baseline, details, LABEL, "right")


def percent(share: float) -> str:
    """Format a share as `38%` or `< 1%`."""
    return "< 1%" if 0 < share < 0.005 else f"{share * 100:.0f}%"


def scale(largest: float) -> tuple[float, float]:
    """Return the top of a scale for values up to `largest`, and its step.

    The step is 1, 2 or 5 times a power of ten. The scale has three to five steps, or one if
    `largest` is 0.
    """
    if largest <= 0:
        return 1.0, 1.0
    power = 10.0 ** math.floor(math.log10(largest / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if largest / (power * factor) <= 5)
    return math.ceil(largest / step - 1e-9) * step, step
