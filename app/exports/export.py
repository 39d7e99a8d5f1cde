"""An export: what was asked for, how far it is, and what came of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple, NewType
from uuid import UUID

from msgspec import Struct

from app.activities.totals import Row
from app.activity_types import ActivityType
from app.errors import Invalid
from app.jobs import JobId
from app.users.user import UserId

ExportId = NewType("ExportId", UUID)

Format = Literal["csv", "pdf"]
Status = Literal["pending", "processing", "completed", "failed"]

LIFE = timedelta(days=7)
"""How long a completed export is there."""
CONTENT_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}


class Filters(NamedTuple):
    """The activities that are wanted. The days are UTC's, both inclusive; None means any."""

    first: date | None = None
    last: date | None = None
    type: ActivityType | None = None

    def check(self) -> None:
        """
        Raises:
            Invalid: the last day is before the first.
        """
        if self.first and self.last and self.last < self.first:
            raise Invalid("The last day must not be before the first.", field="to")


class Progress(NamedTuple):
    """Rows."""

    done: int
    total: int | None


class Export(Struct, frozen=True):
    """An export, as its owner sees it."""

    id: ExportId
    job_id: JobId
    format: Format
    first: date | None
    last: date | None
    type: ActivityType | None
    status: Status
    done: int | None
    total: int | None
    row_count: int | None
    size_bytes: int | None
    sha256: str | None
    requested_at: datetime
    completed_at: datetime | None
    expires_at: datetime | None
    expired: bool
    error: str | None
    """Why it failed, in one line that says what the person can do."""

    @property
    def filters(self) -> Filters:
        return Filters(self.first, self.last, self.type)

    @property
    def progress(self) -> Progress | None:
        """Only while it is processed, and once the first figures are there."""
        return None if self.done is None else Progress(self.done, self.total)

    @property
    def ready(self) -> bool:
        """It can be downloaded."""
        return self.status == "completed" and not self.expired


def key(user_id: UserId, export_id: ExportId, format: Format) -> str:
    """Where its object is in the bucket, from the first attempt at it on."""
    return f"{PREFIX}{user_id}/{export_id}.{format}"


PREFIX = "exports/"


def filename(format: Format) -> str:
    """What the file is called where it is saved."""
    return f"activities.{format}"


__all__ = ["DOCUMENT", "MOST_ROWS", "Header", "Row"]

DOCUMENT = "app.exports.pdf"
"""The module that draws it, for `Renderer.drawing`. Sums and charts are made from the rows: they
need no statement of their own."""
MOST_ROWS = 50_000
"""More would be a book that nobody prints."""


class Header(Struct, frozen=True):
    """Whose activities these are, and which of them. Days are by UTC, both counted in."""

    name: str
    """The person's, as it is kept: whatever stands in it can be drawn."""
    first: date | None
    last: date | None
    type: ActivityType | None
    made_at: datetime
