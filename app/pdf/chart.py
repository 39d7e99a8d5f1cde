"""Charts as vectors: bars over time, and the parts of a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from app.pdf import palette
from app.pdf.canvas import BODY, LABEL, SMALL, Canvas
from app.pdf.text import fitted

AXIS = 34.0
"""The width that the scale's labels take, on the left."""
WIDEST_BAR = 22.0
SHARE_BAR = 12.0
SHARE_ROW = 17.0


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Bar(NamedTuple):
    """A bar, and what stands below it; most have nothing there."""

    value: float
    label: str = ""


class Part(NamedTuple):
    """A part of a whole, and the words beside it."""

    name: str
    value: float
    told: str


def bars(canvas: Canvas, box: Box, values: Sequence[Bar], unit: str) -> None:
    """Bars from left to right, over a scale with round numbers."""
    top, step = scale(max((bar.value for bar in values), default=0))
    floor, height = box.y + box.height - 16, box.height - 26
    for number in range(round(top / step) + 1):
        value = number * step
        y = floor - value / top * height
        canvas.rule(box.x + AXIS, y, box.width - AXIS, palette.RULE if value else "#c9c4b8")
        label = f"{value:,.10g}"
        canvas.write_text(box.x + AXIS - 8, y + 2.7, label, SMALL, "right")
    canvas.write_text(box.x, box.y + 2, unit, SMALL)
    pitch = (box.width - AXIS) / max(1, len(values))
    thick = min(WIDEST_BAR, pitch * 0.68)
    for number, bar in enumerate(values):
        middle = box.x + AXIS + (number + 0.5) * pitch
        if bar.value > 0:
            tall = max(1.0, bar.value / top * height)
            canvas.rectangle(middle - thick / 2, floor - tall, thick, tall, palette.GREEN)
        if bar.label:
            half = canvas.measure(bar.label, SMALL) / 2
            inside = min(middle, box.x + box.width - half)
            canvas.write_text(inside, floor + 13, bar.label, SMALL, "center")


def shares(canvas: Canvas, box: Box, parts: Sequence[Part]) -> None:
    """One bar, divided, and a key of two columns below it: largest first. There must be no more
    parts than `palette.SHARES` has colours."""
    whole = sum(part.value for part in parts) or 1
    x = box.x
    for part, color in zip(parts, palette.SHARES, strict=False):
        width = part.value / whole * box.width
        canvas.rectangle(x, box.y, max(width - 1.2, 0.4), SHARE_BAR, color)
        x += width
    column = (box.width - 24) / 2
    for number, (part, color) in enumerate(zip(parts, palette.SHARES, strict=False)):
        left = box.x + (number % 2) * (column + 24)
        baseline = box.y + SHARE_BAR + 20 + number // 2 * SHARE_ROW
        canvas.rectangle(left, baseline - 6.5, 7, 7, color)
        canvas.write_text(left + 14, baseline, part.name, BODY)
        canvas.write_text(left + 62, baseline, percent(part.value / whole), BODY, "left")
        told = fitted(canvas, part.told, LABEL, column - 96)
        canvas.write_text(left + column, baseline, told, LABEL, "right")


def percent(share: float) -> str:
    """`38 %`, `< 1 %`."""
    return "< 1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


def scale(largest: float) -> tuple[float, float]:
    """The top of a scale that the largest value fits under, and its step: 1, 2 or 5 times a power
    of ten, three to five steps."""
    if largest <= 0:
        return 1.0, 1.0
    power = 10.0 ** math.floor(math.log10(largest / 4))
    step = next(power * times for times in (1, 2, 5, 10) if largest / (power * times) <= 5)
    return math.ceil(largest / step - 1e-9) * step, step
