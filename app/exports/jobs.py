"""Making an export: from the database into the bucket, and the record of it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Never

import structlog

from app import jobs, metrics
from app.errors import Unavailable
from app.event_loop import cancel_all
from app.exports import formats, statements
from app.exports.emails import ExportFailedEmail, ExportReadyEmail
from app.exports.export import CONTENT_TYPES, LIFE, MOST_ROWS, PREFIX, ExportId, filename, key
from app.exports.formats import Rendering, TooLong, Write
from app.exports.statements import OwnedExport
from app.jobs import Job, Run, handles
from app.jobs.outcomes import Dead
from app.pdf import DrawingFailed, DrawingKilled, OutOfMemory, OutOfTime, Renderer
from app.postgres.database import Database
from app.postgres.snapshot import Snapshots
from app.s3 import Bucket, Stored
from app.users.user import UserId


class ExportGenerate(Job, frozen=True):
    """Create the file and put it into the bucket."""

    kind = "export:generate"
    queue = "low"
    timeout = timedelta(minutes=30)
    expires_in = timedelta(days=7)

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)

    def on_failure(self) -> ExportFailedEmail:
        return ExportFailedEmail(self.export_id, self.user_id)


TAGS = {"kind": "export"}
TELL = 1.0
"""Seconds between two reports of the progress."""
DELETED = "the export or its owner was deleted"
INSTEAD = "Choose CSV, or a shorter period."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What exports are made with."""

    database: Database
    snapshots: Snapshots
    bucket: Bucket
    renderer: Renderer


@handles(ExportGenerate)
async def generate_export(
    job: ExportGenerate,
    run: Run,
    database: Database,
    snapshots: Snapshots,
    bucket: Bucket,
    renderer: Renderer,
) -> None:
    await generate(run, Tools(database, snapshots, bucket, renderer), job)


async def generate(run: Run, tools: Tools, job: ExportGenerate) -> None:
    """Make the file, put it into the bucket, and have an email say so.

    The object appears only while the job is ours and the export is wanted. What was sent of one
    that did not appear is taken back, and a retry begins anew, under the same key.

    Raises:
        Unavailable: Postgres or the bucket is away.
        Busy: as many exports are read as can be at once.
        Dead: it can never be made, for the reason that is put on record for the person.
        LeaseLost: the job is another worker's now.
    """
    export = await _wanted(run, job)
    if export is None:
        await _drop(run, tools.bucket, job)
        return
    place = key(export.user_id, export.id, export.format)
    content_type, name = CONTENT_TYPES[export.format], filename(export.format)
    async with tools.bucket.upload(place, content_type, name, TAGS) as upload:
        rows = await _render(run, tools, export, upload.write)
        await upload.flush()
        if await _wanted(run, job) is None:
            await run.finish_with_note(DELETED)
            return
        stored = await upload.complete()
    try:
        await _record(run, job, rows, stored)
    except _Unwanted:
        await _drop(run, tools.bucket, job)
        return
    metrics.export_bytes.labels(export.format).inc(stored.size)
    log.info("export.completed", export=str(export.id), rows=rows, size=stored.size)


class _Unwanted(Exception):
    """The export, or its owner, is deleted."""


async def _wanted(run: Run, job: ExportGenerate) -> OwnedExport | None:
    """The export, unless it or its owner is deleted.

    Raises:
        LeaseLost: the job is another worker's now.
    """
    async with run.transaction() as tx:
        return await statements.owned_export(tx, id=job.export_id)


async def _drop(run: Run, bucket: Bucket, job: ExportGenerate) -> None:
    """Remove the object of a deleted export, and end the job."""
    await bucket.delete(await bucket.keys(f"{PREFIX}{job.user_id}/{job.export_id}."))
    await run.finish_with_note(DELETED)


async def _record(run: Run, job: ExportGenerate, rows: int, stored: Stored) -> None:
    """The result, the email and the job's end, in one transaction.

    Raises:
        _Unwanted: the export was deleted meanwhile; the job goes on, to remove the object.
        LeaseLost: the job is another worker's now.
    """
    async with run.completion() as tx:
        completed = await statements.complete_export(
            tx,
            id=job.export_id,
            life=LIFE,
            row_count=rows,
            size_bytes=stored.size,
            sha256=stored.sha256,
            etag=stored.etag,
        )
        if not completed:
            raise _Unwanted
        await jobs.enqueue(tx, ExportReadyEmail(job.export_id, job.user_id))


async def _render(run: Run, tools: Tools, export: OwnedExport, write: Write) -> int:
    """Write the file; the number of its rows. Why a PDF cannot be made is put on record.

    Raises:
        Dead: it never can.
        OutOfTime, DrawingKilled: it could not this time.
    """
    try:
        async with _rendering(run, tools, export) as rendered:
            return await _reported(run, rendered, write)
    except TooLong as error:
        reason = f"A PDF can hold {MOST_ROWS:,} activities, and this export has {error.rows:,}."
        await _give_reason(run, export, reason)
        raise Dead(reason) from None
    except (OutOfTime, OutOfMemory) as error:
        await _give_reason(run, export, "Creating the PDF took too much time or memory.")
        if isinstance(error, OutOfTime):
            raise  # the machine may be less busy the next time
        raise Dead(str(error)) from error
    except DrawingKilled:
        raise
    except DrawingFailed as error:
        raise Dead(str(error)) from error


def _rendering(
    run: Run, tools: Tools, export: OwnedExport
) -> AbstractAsyncContextManager[Rendering]:
    if export.format == "csv":
        return formats.csv(tools.database, tools.snapshots, export)
    made_at = run.claimed.started_at
    return formats.pdf(tools.database, tools.snapshots, tools.renderer, export, made_at)


async def _give_reason(run: Run, export: OwnedExport, reason: str) -> None:
    async with run.transaction() as tx:
        await statements.give_reason(tx, id=export.id, error=f"{reason} {INSTEAD}")


async def _reported(run: Run, rendered: Rendering, write: Write) -> int:
    """Make it, and tell each second how far it is, and once all is read.

    What ends the telling ends the making.
    """
    making = asyncio.create_task(rendered.make(write))
    telling = asyncio.create_task(_keep_telling(run, rendered))
    try:
        await asyncio.wait((making, telling), return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            telling.result()
        rows = await making
    finally:
        await cancel_all((making, telling))
    await _tell(run, rendered)
    return rows


async def _keep_telling(run: Run, rendered: Rendering) -> Never:
    """
    Raises:
        LeaseLost: the job is another worker's now.
    """
    while True:
        await _tell(run, rendered)
        await asyncio.sleep(TELL)


async def _tell(run: Run, rendered: Rendering) -> None:
    try:
        await run.progress(*await rendered.progress())
    except Unavailable as outage:
        log.warning("export.progress_not_told", error=outage.detail)
