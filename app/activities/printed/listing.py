"""The table of the activities themselves."""

from __future__ import annotations

from collections.abc import Iterable

from app.activities.printed.sums import Row
from app.activities.printed.wording import TYPES, clock, short_day
from app.pdf.canvas import Canvas
from app.pdf.drawable import drawable
from app.pdf.table import Column, Table

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
                TYPES[kind][0],
                clock(duration_s),
                "" if distance_m is None else f"{distance_m / 1000:,.2f}",
                "" if calories is None else f"{calories:,}",
                drawable(notes[:LONGEST_NOTES]) if notes else "",
            )

    def note(self, text: str) -> None:
        """Words below the last activity."""
        self._table.note(text)
