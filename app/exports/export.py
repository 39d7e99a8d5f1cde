"""An export: its filters, progress and result.

PDF subprocesses import this module, so it must not import the formats.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple, NewType
from uuid import UUID

from msgspec import Struct

from app.activity_types import ActivityType
from app.errors import Invalid
from app.jobs import JobId

ExportId = NewType("ExportId", UUID)

Format = Literal["csv", "pdf"]
"""The `name` of each class in `formats.py`."""
Status = Literal["pending", "processing", "completed", "failed"]

LIFETIME = timedelta(days=7)
"""How long a completed export can be downloaded."""


class Filters(NamedTuple):
    """Which activities to export. Both days are in UTC and included; None means no limit."""

    first: date | None = None
    last: date | None = None
    type: ActivityType | None = None

    def check(self) -> None:
        """Check that the filters make sense together.

        Raises:
            Invalid: the last day is before the first.
        """
        if self.first and self.last and self.last < self.first:
            raise Invalid("The last day must not be before the first.", field="to")


class Progress(NamedTuple):
    """The number of rows written so far, and the total number of rows."""

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
    """Why the export failed and what the user can do, in one line."""

    @property
    def filters(self) -> Filters:
        return Filters(self.first, self.last, self.type)

    @property
    def progress(self) -> Progress | None:
        """The progress while the job runs; None until the job has reported any."""
        return None if self.done is None else Progress(self.done, self.total)

    @property
    def ready(self) -> bool:
        """Whether the export can be downloaded."""
        return self.status == "completed" and not self.expired


PREFIX = "exports/"
"""The prefix of all exports' keys in the bucket."""

DOCUMENT = "app.exports.pdf"
"""The module that draws an export's PDF, for `Renderer.rendering`. It computes the totals and
charts from the rows, so no further SQL statement is needed."""


class Header(Struct, frozen=True):
    """Whose activities a PDF shows, and which ones. Both days are in UTC and included."""

    name: str
    """The user's name as stored. `drawable` must clean it before it is drawn."""
    first: date | None
    last: date | None
    type: ActivityType | None
    created_at: datetime
