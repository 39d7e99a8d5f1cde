"""The export formats: one registered class for each, with everything that is specific to it.

The API, the pages and the emails take formats and labels from here. No format holds a whole file in
the worker's memory. This module must not import fpdf2, which is loaded only in PDF subprocesses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, TypeVar

from app.exports import statements
from app.exports.csv import copy
from app.exports.export import DOCUMENT, PREFIX, ExportId, Format, Header
from app.exports.statements import OwnedExport
from app.pdf import Renderer
from app.postgres.database import Database
from app.postgres.snapshot import Snapshots
from app.users.user import UserId

PDF_BATCH_ROWS = 100
"""The number of rows read and sent to the PDF subprocess at a time."""

Write = Callable[[bytes], Awaitable[None]]


class TooManyRows(Exception):
    """The export has more rows than its format allows."""

    def __init__(self, rows: int) -> None:
        super().__init__(f"{rows} rows")
        self.rows = rows


class Sources(NamedTuple):
    """What the formats read activities from, and what renders PDFs."""

    database: Database
    snapshots: Snapshots
    renderer: Renderer


class ExportWriter(NamedTuple):
    """Writes the file of one export and reports the progress."""

    write_to: Callable[[Write], Coroutine[Any, Any, int]]
    """Write the whole file, in chunks, and return the number of rows."""
    progress: Callable[[], Awaitable[tuple[int, int]]]
    """Return the number of rows written so far, and the total."""


class ExportFormat(ABC):
    """An export file format. A subclass with `@register` is offered to users."""

    name: ClassVar[Format]
    """Stored with each export, so it is never renamed."""
    label: ClassVar[str]
    """The format's name for users."""
    purpose: ClassVar[str]
    """What the format is good for, shown after its label: `for a spreadsheet`."""
    extension: ClassVar[str]
    """The suffix of file names and object keys, without the dot. Keys of stored objects depend on
    it, so it is never changed."""
    content_type: ClassVar[str]
    max_rows: ClassVar[int | None] = None

    @property
    def filename(self) -> str:
        """The name under which a browser saves the file."""
        return f"activities.{self.extension}"

    @abstractmethod
    def open_writer(
        self, sources: Sources, export: OwnedExport, created_at: datetime
    ) -> AbstractAsyncContextManager[ExportWriter]:
        """Open what is needed to write this export.

        Raises:
            TooManyRows: the export has more than `max_rows`.
            Busy: all connections for exports are in use.
        """


FORMATS: dict[Format, ExportFormat] = {}
"""The registered formats by name. Pages list them in this order, with the first preselected."""


F = TypeVar("F", bound=type[ExportFormat])


def register(format_class: F) -> F:
    """Offer a format to users."""
    FORMATS[format_class.name] = format_class()
    return format_class


def object_key(user_id: UserId, export_id: ExportId, format: Format) -> str:
    """Return the key of an export's object in the bucket. All attempts write to the same key."""
    return f"{PREFIX}{user_id}/{export_id}.{FORMATS[format].extension}"


def joined_labels() -> str:
    """Return the labels of all formats, as in `CSV or PDF`."""
    return " or ".join(format.label for format in FORMATS.values())


@register
class Csv(ExportFormat):
    """CSV, written by Postgres itself."""

    name = "csv"
    label = "CSV"
    purpose = "for a spreadsheet"
    extension = "csv"
    content_type = "text/csv; charset=utf-8"

    @asynccontextmanager
    async def open_writer(
        self, sources: Sources, export: OwnedExport, created_at: datetime
    ) -> AsyncIterator[ExportWriter]:
        async with sources.snapshots.open() as snapshot:
            pid = await statements.backend_pid(snapshot)
            started = False
            total: int | None = None

            async def write_to(write: Write) -> int:
                async def write_chunk(chunk: bytes) -> None:
                    nonlocal started
                    started = True
                    await write(chunk)

                return await copy(snapshot, export.user_id, export.filters, write_chunk)

            async def progress() -> tuple[int, int]:
                """Return the progress that Postgres reports for the COPY; after its end, all rows.

                The rows are counted in parallel, because counting them first would delay the COPY
                by a tenth of its duration.
                """
                nonlocal total
                if total is None:
                    total = await _count_rows(sources.database, export)
                had_started = started  # read first: the COPY may start during the next query
                copied = await statements.rows_copied(sources.database, pid=pid)
                if copied is None:
                    copied = total if had_started else 0
                return min(copied, total), total

            yield ExportWriter(write_to, progress)


@register
class Pdf(ExportFormat):
    """PDF, drawn by a subprocess from rows that are read through a cursor."""

    name = "pdf"
    label = "PDF"
    purpose = "to read or print"
    extension = "pdf"
    content_type = "application/pdf"
    max_rows = 50_000  # nobody prints more

    @asynccontextmanager
    async def open_writer(
        self, sources: Sources, export: OwnedExport, created_at: datetime
    ) -> AsyncIterator[ExportWriter]:
        total = await _count_rows(sources.database, export)
        if total > self.max_rows:
            raise TooManyRows(total)
        query = statements.activities_pdf(
            user_id=export.user_id, first=export.first, last=export.last, type=export.type
        )
        header = Header(export.name, *export.filters, created_at)
        sent = 0

        async def write_to(write: Write) -> int:
            """Write the PDF.

            Raises:
                RenderingFailed: the PDF could not be rendered.
                Busy: all connections for exports are in use.
            """
            nonlocal sent
            async with sources.renderer.rendering(DOCUMENT, header) as rendering:
                async with sources.snapshots.open() as snapshot:
                    async for batch in snapshot.batches(query, PDF_BATCH_ROWS):
                        await rendering.send_rows(batch)
                        sent += len(batch)
                async for chunk in await rendering.finish():
                    await write(chunk)
            return sent

        async def progress() -> tuple[int, int]:
            return sent, total

        yield ExportWriter(write_to, progress)


async def _count_rows(database: Database, export: OwnedExport) -> int:
    return await statements.count_rows(
        database,
        user_id=export.user_id,
        first=export.first,
        last=export.last,
        type=export.type,
    )
