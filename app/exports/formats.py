"""The bytes of an export, passed on as they are made. Nothing of any length is held in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

from app.exports import statements
from app.exports.csv import copy
from app.exports.export import DOCUMENT, MOST_ROWS, Header
from app.exports.statements import OwnedExport
from app.pdf import Renderer
from app.postgres.database import Database
from app.postgres.snapshot import Snapshots

BATCH = 100
"""Rows that are read and sent to be drawn at once."""

Write = Callable[[bytes], Awaitable[None]]


class TooLong(Exception):
    """More rows than a PDF may have."""

    def __init__(self, rows: int) -> None:
        super().__init__(f"{rows} rows")
        self.rows = rows


class Rendering(NamedTuple):
    """An export that is about to be made."""

    make: Callable[[Write], Coroutine[Any, Any, int]]
    """Writes the whole file; the number of rows."""
    progress: Callable[[], Awaitable[tuple[int, int]]]
    """How many rows are written by now, and of how many."""


@asynccontextmanager
async def csv(
    database: Database, snapshots: Snapshots, export: OwnedExport
) -> AsyncIterator[Rendering]:
    """The CSV, written by Postgres itself.

    Raises:
        Busy: as many are read as can be at once.
    """
    async with snapshots.open() as snapshot:
        backend = await statements.backend(snapshot)
        begun = False
        total: int | None = None

        async def make(write: Write) -> int:
            async def pass_on(data: bytes) -> None:
                nonlocal begun
                begun = True
                await write(data)

            return await copy(snapshot, export.user_id, export.filters, pass_on)

        async def progress() -> tuple[int, int]:
            """What Postgres tells of its COPY, and once that has ended: all.

            The rows are counted beside it, for it would wait a tenth of its time for them.
            """
            nonlocal total
            if total is None:
                total = await statements.count_rows(
                    database,
                    user_id=export.user_id,
                    first=export.first,
                    last=export.last,
                    type=export.type,
                )
            had_begun = begun  # it may begin while the answer is on its way
            copied = await statements.rows_copied(database, pid=backend)
            if copied is None:
                copied = total if had_begun else 0
            return min(copied, total), total

        yield Rendering(make, progress)


@asynccontextmanager
async def pdf(
    database: Database,
    snapshots: Snapshots,
    renderer: Renderer,
    export: OwnedExport,
    made_at: datetime,
) -> AsyncIterator[Rendering]:
    """The PDF, drawn by a process of its own from rows that a cursor reads.

    Raises:
        TooLong: it would have too many rows.
        DrawingFailed: as said there.
        Busy: as many are read as can be at once.
    """
    total = await statements.count_rows(
        database,
        user_id=export.user_id,
        first=export.first,
        last=export.last,
        type=export.type,
    )
    if total > MOST_ROWS:
        raise TooLong(total)
    query = statements.activities_to_draw(
        user_id=export.user_id, first=export.first, last=export.last, type=export.type
    )
    header = Header(export.name, *export.filters, made_at)
    sent = 0

    async def make(write: Write) -> int:
        nonlocal sent
        async with renderer.drawing(DOCUMENT, header) as drawing:
            async with snapshots.open() as snapshot:
                async for batch in snapshot.batches(query, BATCH):
                    await drawing.rows(batch)
                    sent += len(batch)
            async for piece in await drawing.finish():
                await write(piece)
        return sent

    async def progress() -> tuple[int, int]:
        return sent, total

    yield Rendering(make, progress)
