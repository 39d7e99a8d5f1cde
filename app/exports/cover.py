"""What an export's PDF says before its rows. Light: the drawing process loads it."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

from app.activities.activity import ActivityType
from app.activities.printed.sums import Row

__all__ = ["DOCUMENT", "MOST_ROWS", "Cover", "Row"]

DOCUMENT = "app.exports.document"
"""The module that draws it, for `Artists.drawing`. Sums and charts are made from the rows: they
need no statement of their own."""
MOST_ROWS = 50_000
"""More would be a book that nobody prints."""


class Cover(Struct, frozen=True):
    """Whose activities these are, and which of them. Days are by UTC, both counted in."""

    name: str
    """The person's, as it is kept: whatever stands in it can be drawn."""
    first: date | None
    last: date | None
    type: ActivityType | None
    made_at: datetime
