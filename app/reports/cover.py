"""What a report says beside its activities. Light: the drawing process loads it."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

from app.activities.activity import ActivityType
from app.stats.figures import DayFigures, Figures

DOCUMENT = "app.reports.document"
"""The module that draws it, for `Artists.drawing`."""


class TypeFigures(Figures, frozen=True):
    """What a person did of one type."""

    type: ActivityType


class Cover(Struct, frozen=True):
    """Whose month, and what it adds up to. The rows are only listed."""

    name: str
    month: date
    before: Figures
    """Of the month before."""
    days: list[DayFigures]
    types: list[TypeFigures]
    made_at: datetime
