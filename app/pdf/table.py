"""Tables over many pages: fixed columns, a header on every page, cells set one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.pdf import palette
from app.pdf.canvas import BODY, BOTTOM, LABEL, LEFT, RIGHT, TOP, Align, Canvas, Style
from app.pdf.text import wrapped

LEADING = 11.5
PADDING = 5.0
"""Above and below the lines of a row."""
GUTTER, LAST_GUTTER = 10.0, 18.0
"""Between columns, and before the last."""
HEADER = 20.0
MOST_LINES = 6
"""Of a cell; what is longer is shortened."""


class Column(NamedTuple):
    """The last column takes what the others leave."""

    title: str
    width: float
    align: Align = "left"


class Table:
    """Draws each row as it comes, where the last one ended, on as many pages as it takes."""

    def __init__(self, canvas: Canvas, columns: Sequence[Column], top: float) -> None:
        """`top`: where it begins on the current page."""
        self._canvas = canvas
        *fixed, last = columns
        self._lefts = [LEFT]
        for column in fixed:
            gutter = GUTTER if len(self._lefts) < len(fixed) else LAST_GUTTER
            self._lefts.append(self._lefts[-1] + column.width + gutter)
        self._columns = [*fixed, last._replace(width=RIGHT - self._lefts[-1])]
        self._y = top
        self._banded = False
        self._begun = False

    def row(self, *cells: str) -> None:
        """Draw a row of drawable texts, one for each column. Only the last column wraps: whoever
        gives the others knows that they fit."""
        if not self._begun:
            self._begin()
        canvas, last = self._canvas, self._columns[-1]
        lines = wrapped(canvas, cells[-1], BODY, last.width, MOST_LINES)
        height = max(1, len(lines)) * LEADING + 2 * PADDING
        if self._y + height > BOTTOM:
            self._new_page()
        if self._banded:
            canvas.rectangle(LEFT - 6, self._y, RIGHT - LEFT + 12, height, palette.BAND)
        self._banded = not self._banded
        baseline = self._y + PADDING + LEADING - 3
        self._write(baseline, cells[:-1], BODY)
        for number, line in enumerate(lines):
            canvas.write_text(self._lefts[-1], baseline + number * LEADING, line, BODY)
        self._y += height

    def note(self, text: str) -> None:
        """Words of ours below the last row."""
        if self._y + LEADING + 2 * PADDING > BOTTOM:
            self._new_page()
        self._y += LEADING + 2 * PADDING
        self._canvas.write_text(LEFT, self._y - PADDING, text, LABEL)

    def _begin(self) -> None:
        """The header, which a table without rows does not have."""
        self._begun = True
        if self._y + HEADER + 3 * (LEADING + 2 * PADDING) > BOTTOM:
            self._new_page()
        else:
            self._header()

    def _new_page(self) -> None:
        self._canvas.turn_to(len(self._canvas.pages) + 1)
        self._y = TOP
        self._header()

    def _header(self) -> None:
        self._write(self._y + 10, [column.title for column in self._columns], LABEL)
        self._canvas.rule(LEFT - 6, self._y + HEADER - 2, RIGHT - LEFT + 12)
        self._y += HEADER
        self._banded = False

    def _write(self, baseline: float, cells: Sequence[str], style: Style) -> None:
        for column, left, cell in zip(self._columns, self._lefts, cells, strict=False):
            if cell:
                edge = left + column.width if column.align == "right" else left
                self._canvas.write_text(edge, baseline, cell, style, column.align)
