"""Use cases for exports: requesting, tracking, downloading and deleting them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from app import jobs, problems
from app.errors import Conflict, Gone, NotFound, TooMany
from app.exports import statements
from app.exports.export import PREFIX, Export, ExportId, Filters, Format
from app.exports.formats import FORMATS, object_key
from app.exports.jobs import GenerateExport
from app.jobs.admin.jobs import cancel_quietly
from app.postgres.database import Database, Transaction
from app.postgres.statements import Queryable
from app.s3 import Bucket
from app.users.user import UserId

MAX_UNFINISHED = 2
"""The most unfinished exports that a user may have."""
RETRY_AFTER_S = 60
"""How long to wait before requesting another: one of the two may have finished by then."""


async def request(tx: Transaction, user_id: UserId, format: Format, filters: Filters) -> Export:
    """Request an export. If an identical export is unfinished, return that one instead.

    Raises:
        Invalid: the last day is before the first.
        TooMany: the user already has two other unfinished exports.
    """
    filters.check()
    await statements.lock_exports(tx, user_id=user_id)
    await statements.close_ended_exports(tx, user_id=user_id)
    unfinished = await statements.exports(
        tx, user_id=user_id, id=None, before=None, only_open=True, limit=MAX_UNFINISHED
    )
    for export in unfinished:
        if (export.format, export.filters) == (format, filters):
            return export
    if len(unfinished) == MAX_UNFINISHED:
        raise TooMany(
            f"You already have {MAX_UNFINISHED} exports in progress."
            " Wait for one to finish, or cancel one.",
            retry_after=RETRY_AFTER_S,
            problem=problems.EXPORTS_IN_PROGRESS,
        )
    export_id = await statements.insert_export(
        tx,
        user_id=user_id,
        format=format,
        first=filters.first,
        last=filters.last,
        type=filters.type,
    )
    await _enqueue_job(tx, user_id, export_id)
    return await find(tx, user_id, export_id)


async def find(db: Queryable, user_id: UserId, export_id: ExportId) -> Export:
    """Return an export with its progress or result.

    Raises:
        NotFound: the export does not exist, has been deleted, or belongs to someone else.
    """
    found = await statements.exports(
        db, user_id=user_id, id=export_id, before=None, only_open=False, limit=1
    )
    if not found:
        raise _no_such_export()
    return found[0]


async def history(
    db: Queryable, user_id: UserId, before: ExportId | None, limit: int
) -> Sequence[Export]:
    """Return at most `limit` of a user's exports, newest first.

    Args:
        before: the last export on the previous page; None for the first page.
    """
    return await statements.exports(
        db, user_id=user_id, id=None, before=before, only_open=False, limit=limit
    )


async def download(database: Database, bucket: Bucket, user_id: UserId, export_id: ExportId) -> str:
    """Return a download URL. It works for five minutes without signing in, so never log it.

    If the object is missing, or is not the one that was uploaded, the export is created again.

    Raises:
        NotFound: the export does not exist, has been deleted, or belongs to someone else.
        Conflict: the export is unfinished, has failed, or is being created again.
        Gone: the export has expired.
    """
    export = await find(database, user_id, export_id)
    if export.status == "failed":
        raise Conflict(f"The export failed. {export.error}", problem=problems.EXPORT_FAILED)
    if export.status != "completed":
        raise Conflict("The export is not ready yet.", problem=problems.EXPORT_NOT_READY)
    if export.expired:
        raise Gone("The export has expired. Request it again.")
    if not await _intact(database, bucket, user_id, export):
        raise Conflict(
            "The file is missing or damaged and is being recreated. Try again in a minute.",
            problem=problems.FILE_BEING_RECREATED,
        )
    return await bucket.presigned_url(
        object_key(user_id, export_id, export.format), FORMATS[export.format].filename
    )


async def delete(tx: Transaction, user_id: UserId, export_id: ExportId) -> str:
    """Delete an export, and cancel its job. The caller must discard the object after the commit.

    Returns:
        The object's key.

    Raises:
        NotFound: the export does not exist, has been deleted, or belongs to someone else.
    """
    job_id = await statements.job_of_export(tx, id=export_id, user_id=user_id)
    if job_id is not None:  # before the export: a completing job locks them in this order too
        await cancel_quietly(tx, job_id, "its export was deleted")
    deleted = await statements.delete_export(tx, id=export_id, user_id=user_id)
    if deleted is None:
        raise _no_such_export()
    return object_key(user_id, export_id, deleted)


async def _enqueue_job(tx: Transaction, user_id: UserId, export_id: ExportId) -> None:
    job_id = await jobs.enqueue(tx, GenerateExport(export_id, user_id))
    if job_id is not None:
        await statements.set_export_job(tx, id=export_id, job_id=job_id)


async def _intact(database: Database, bucket: Bucket, user_id: UserId, export: Export) -> bool:
    """Tell whether the object is the one that was uploaded. If not, create the export again."""
    etag = await statements.export_etag(database, id=export.id, user_id=user_id)
    if etag is None:
        return False
    if await bucket.contains(object_key(user_id, export.id, export.format), etag):
        return True
    async with database.transaction() as tx:
        if await statements.clear_export_result(tx, id=export.id, user_id=user_id, etag=etag):
            await _enqueue_job(tx, user_id, export.id)
    return False


def _no_such_export() -> NotFound:
    return NotFound("Export not found. Exports are available for seven days.")


STALE_AFTER = timedelta(days=1)
"""The age at which an incomplete upload counts as abandoned: no attempt takes that long."""


async def abort_stale_uploads(bucket: Bucket, now: datetime) -> None:
    """Abort incomplete uploads that are too old to belong to a running attempt.

    Raises:
        Unavailable: the bucket is unavailable.
    """
    uploads = await bucket.incomplete_uploads(PREFIX)
    stale = [upload for upload in uploads if upload.started_at < now - STALE_AFTER]
    await bucket.abort_uploads(stale)
