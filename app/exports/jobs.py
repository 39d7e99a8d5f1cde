"""The job that creates an export: it writes the file to the bucket and records the result."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Never

import structlog

from app import jobs, metrics
from app.errors import StatementCancelled, Unavailable
from app.event_loop import cancel_all
from app.exports import statements
from app.exports.emails import SendExportFailedEmail, SendExportReadyEmail
from app.exports.export import LIFETIME, PREFIX, ExportId
from app.exports.formats import (
    FORMATS,
    ExportFormat,
    ExportWriter,
    Sources,
    TooManyRows,
    Write,
    object_key,
)
from app.exports.statements import OwnedExport
from app.jobs import Job, Run, handles
from app.jobs.outcomes import Dead
from app.pdf import (
    Renderer,
    RenderingFailed,
    RenderingOutOfMemory,
    RenderingProcessDied,
    RenderingTimedOut,
)
from app.postgres.database import Database
from app.postgres.snapshot import Snapshots
from app.s3 import Bucket, StoredObject
from app.users.user import UserId


class GenerateExport(Job, frozen=True):
    """Create the file of an export and put it into the bucket."""

    kind = "export:generate"
    queue = "low"
    timeout = timedelta(minutes=30)
    expires_in = timedelta(days=7)

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)

    def on_failure(self) -> SendExportFailedEmail:
        return SendExportFailedEmail(self.export_id, self.user_id)


OBJECT_TAGS = {"kind": "export"}
PROGRESS_INTERVAL_S = 1.0
DELETED = "the export or its owner was deleted"

log = structlog.get_logger(__name__)


@handles(GenerateExport)
async def generate_export(
    job: GenerateExport,
    run: Run,
    database: Database,
    snapshots: Snapshots,
    bucket: Bucket,
    renderer: Renderer,
) -> None:
    await create_export(run, Sources(database, snapshots, renderer), bucket, job)


async def create_export(run: Run, sources: Sources, bucket: Bucket, job: GenerateExport) -> None:
    """Write the file to the bucket, record the result, and enqueue the email about it.

    The upload is completed only if this attempt has not lost its job and the export has not been
    deleted. An incomplete upload is aborted, and a retry starts over with the same key.

    Raises:
        Unavailable: Postgres or the bucket is unavailable.
        Busy: all connections for exports are in use.
        Dead: no attempt can create the file.
        RenderingTimedOut, RenderingProcessDied: a retry may succeed.
        LeaseLost: this attempt has lost its job.
    """
    export = await _find_export(run, job)
    if export is None:
        await _remove_object(run, bucket, job)
        return
    export_format = FORMATS[export.format]
    key = object_key(export.user_id, export.id, export.format)
    async with bucket.upload(
        key, export_format.content_type, export_format.filename, OBJECT_TAGS
    ) as upload:
        rows = await _write_file(run, sources, export, upload.write)
        await upload.flush()
        if await _find_export(run, job) is None:
            await run.finish_with_note(DELETED)
            return
        stored = await upload.complete()
    try:
        await _record_result(run, job, rows, stored)
    except _ExportDeleted:
        await _remove_object(run, bucket, job)
        return
    metrics.export_bytes.labels(export.format).inc(stored.size)
    log.info("export.completed", export=str(export.id), rows=rows, size=stored.size)


class _ExportDeleted(Exception):
    """The export or its owner was deleted in the meantime."""


async def _find_export(run: Run, job: GenerateExport) -> OwnedExport | None:
    """Return the export, or None if the export or its owner has been deleted.

    Raises:
        LeaseLost: this attempt has lost its job.
    """
    async with run.transaction() as tx:
        return await statements.export_with_owner(tx, id=job.export_id)


async def _remove_object(run: Run, bucket: Bucket, job: GenerateExport) -> None:
    """Remove a deleted export's object, and finish the job."""
    await bucket.delete(await bucket.keys(f"{PREFIX}{job.user_id}/{job.export_id}."))
    await run.finish_with_note(DELETED)


async def _record_result(run: Run, job: GenerateExport, rows: int, stored: StoredObject) -> None:
    """Commit the result, the email's job and the end of this job in one transaction.

    Raises:
        _ExportDeleted: nothing was committed. The caller must remove the object.
        LeaseLost: this attempt has lost its job.
    """
    async with run.completion() as tx:
        completed = await statements.complete_export(
            tx,
            id=job.export_id,
            lifetime=LIFETIME,
            row_count=rows,
            size_bytes=stored.size,
            sha256=stored.sha256,
            etag=stored.etag,
        )
        if not completed:
            raise _ExportDeleted
        await jobs.enqueue(tx, SendExportReadyEmail(job.export_id, job.user_id))


async def _write_file(run: Run, sources: Sources, export: OwnedExport, write: Write) -> int:
    """Write the file and return its number of rows. If a limit is exceeded, record the reason.

    Raises:
        Unavailable: Postgres or the bucket is unavailable.
        Busy: all connections for exports are in use.
        Dead: no attempt can create the file.
        RenderingTimedOut, RenderingProcessDied: a retry may succeed.
        LeaseLost: this attempt has lost its job.
    """
    export_format = FORMATS[export.format]
    try:
        async with export_format.open_writer(sources, export, run.claimed.started_at) as writer:
            return await _write_with_progress(run, writer, write)
    except TooManyRows as error:
        reason = (
            f"A {export_format.label} can hold {export_format.max_rows:,} activities,"
            f" but this export has {error.rows:,}."
        )
        await _record_error(run, export, reason)
        raise Dead(reason) from None
    except (RenderingTimedOut, RenderingOutOfMemory) as error:
        reason = f"Creating the {export_format.label} took too much time or memory."
        await _record_error(run, export, reason)
        if isinstance(error, RenderingTimedOut):
            raise  # the machine may be less busy on the next attempt
        raise Dead(str(error)) from error
    except RenderingProcessDied:
        raise
    except RenderingFailed as error:
        raise Dead(str(error)) from error


async def _record_error(run: Run, export: OwnedExport, reason: str) -> None:
    """Record why the export failed, and what the user can do."""
    error = f"{reason} {_alternative(FORMATS[export.format])}"
    async with run.transaction() as tx:
        await statements.set_export_error(tx, id=export.id, error=error)


def _alternative(failed: ExportFormat) -> str:
    """Suggest other formats without a row limit: `Choose CSV, or a shorter period.`"""
    others = [other.label for other in FORMATS.values() if other.max_rows is None]
    if failed.label in others:
        return "Choose a shorter period."
    return f"Choose {' or '.join(others)}, or a shorter period."


async def _write_with_progress(run: Run, writer: ExportWriter, write: Write) -> int:
    """Write the file, and report the progress every second and again after the last row.

    If reporting fails, stop writing and raise the error.
    """
    writing = asyncio.create_task(writer.write_to(write))
    reporting = asyncio.create_task(_report_until_cancelled(run, writer))
    try:
        await asyncio.wait((writing, reporting), return_when=asyncio.FIRST_COMPLETED)
        if reporting.done():
            reporting.result()
        rows = await writing
    finally:
        await cancel_all((writing, reporting))
    await _report_progress(run, writer)
    return rows


async def _report_until_cancelled(run: Run, writer: ExportWriter) -> Never:
    """Report the progress every `PROGRESS_INTERVAL_S` seconds.

    Raises:
        LeaseLost: this attempt has lost its job.
    """
    while True:
        await _report_progress(run, writer)
        await asyncio.sleep(PROGRESS_INTERVAL_S)


async def _report_progress(run: Run, writer: ExportWriter) -> None:
    """Report the progress. If Postgres is unavailable, log it and carry on.

    Raises:
        LeaseLost: this attempt has lost its job.
    """
    try:
        await run.report_progress(*await writer.progress())
    except (Unavailable, StatementCancelled) as outage:
        log.warning("export.progress_not_reported", error=outage.detail)
