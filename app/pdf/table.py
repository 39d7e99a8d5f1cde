"""Tables that can span many pages: fixed columns, and a header on every page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.pdf import palette
from app.pdf.canvas import BODY, BOTTOM, LABEL, LEFT, RIGHT, TOP, Align, Canvas, Style
from app.pdf.text import wrap

LINE_HEIGHT = 11.5
PADDING = 5.0
"""Space above and below the lines of a row."""
GUTTER, LAST_GUTTER = 10.0, 18.0
"""The space between columns, and before the last column."""
HEADER_HEIGHT = 20.0
MAX_CELL_LINES = 6
"""Longer text ends with an ellipsis."""


class Column(NamedTuple):
    """A column. The last column takes the remaining width; its own `width` is ignored."""

    title: str
    width: float
    align: Align = "left"


class Table:
    """Draws each row below the previous one, and adds pages as needed."""

    def __init__(self, canvas: Canvas, columns: Sequence[Column], top: float) -> None:
        """Start a table at `top` on the current page."""
        self._canvas = canvas
        *fixed, last = columns
        self._left_edges = [LEFT]
        for column in fixed:
            gutter = GUTTER if len(self._left_edges) < len(fixed) else LAST_GUTTER
            self._left_edges.append(self._left_edges[-1] + column.width + gutter)
        self._columns = [*fixed, last._replace(width=RIGHT - self._left_edges[-1])]
        self._y = top
        self._banded = False
        self._has_header = False

    def add_row(self, *cells: str) -> None:
        """Draw a row: one drawable text for each column.

        Only the last column wraps; the caller makes sure that the other texts fit.
        """
        if not self._has_header:
            self._draw_first_header()
        canvas, last = self._canvas, self._columns[-1]
        lines = wrap(canvas, cells[-1], BODY, last.width, MAX_CELL_LINES)
        height = max(1, len(lines)) * LINE_HEIGHT + 2 * PADDING
        if self._y + height > BOTTOM:
            self._new_page()
        if self._banded:
            canvas.rectangle(LEFT - 6, self._y, RIGHT - LEFT + 12, height, palette.BAND)
        self._banded = not self._banded
        baseline = self._y + PADDING + LINE_HEIGHT - 3
        self._write(baseline, cells[:-1], BODY)
        for number, line in enumerate(lines):
            canvas.write_text(self._left_edges[-1], baseline + number * LINE_HEIGHT, line, BODY)
        self._y += height

    def add_note(self, text: str) -> None:
        """Draw a line of text below the last row."""
        if self._y + LINE_HEIGHT + 2 * PADDING > BOTTOM:
            self._new_page()
        self._y += LINE_HEIGHT + 2 * PADDING
        self._canvas.write_text(LEFT, self._y - PADDING, text, LABEL)

    def _draw_first_header(self) -> None:
        """Draw the header above the first row. A table without rows has no header."""
        self._has_header = True
        if self._y + HEADER_HEIGHT + 3 * (LINE_HEIGHT + 2 * PADDING) > BOTTOM:
            self._new_page()
        else:
            self._draw_header()

    def _new_page(self) -> None:
        self._canvas.go_to_page(len(self._canvas.pages) + 1)
        self._y = TOP
        self._draw_header()

    def _draw_header(self) -> None:
        self._write(self._y + 10, [column.title for column in self._columns], LABEL)
        self._canvas.rule(LEFT - 6, self._y + HEADER_HEIGHT - 2, RIGHT - LEFT + 12)
        self._y += HEADER_HEIGHT
        self._banded = False

    def _write(self, baseline: float, cells: Sequence[str], style: Style) -> None:
        for column, left, cell in zip(self._columns, self._left_edges, cells, strict=False):
            if cell:
                edge = left + column.width if column.align == "right" else left
                self._canvas.write_text(edge, baseline, cell, style, column.align)
