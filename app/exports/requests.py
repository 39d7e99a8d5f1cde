"""What people do with their exports: request, watch, download and delete them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from app import jobs
from app.errors import Conflict, Gone, NotFound, TooMany
from app.exports import statements
from app.exports.export import PREFIX, Export, ExportId, Filters, Format, filename, key
from app.exports.jobs import ExportGenerate
from app.jobs.admin.jobs import cancel_quietly
from app.postgres.database import Database, Transaction
from app.postgres.statements import Queryable
from app.s3 import Bucket
from app.users.user import UserId

MOST_OPEN = 2
"""Unfinished exports of one person."""
ASK_AGAIN = 60
"""Seconds after which one of them may have been finished."""


async def request(tx: Transaction, user_id: UserId, format: Format, filters: Filters) -> Export:
    """Have an export made. One that is unfinished and asks for the same is given in its place.

    Raises:
        Invalid: the last day is before the first.
        TooMany: two others of this person's are unfinished.
    """
    filters.check()
    await statements.lock_exports(tx, user_id=user_id)
    await statements.close_ended(tx, user_id=user_id)
    unfinished = await statements.exports(
        tx, user_id=user_id, id=None, before=None, only_open=True, limit=MOST_OPEN
    )
    for export in unfinished:
        if (export.format, export.filters) == (format, filters):
            return export
    if len(unfinished) == MOST_OPEN:
        raise TooMany(
            f"You already have {MOST_OPEN} exports in progress. Wait for one, or cancel it.",
            retry_after=ASK_AGAIN,
        )
    export_id = await statements.insert_export(
        tx,
        user_id=user_id,
        format=format,
        first=filters.first,
        last=filters.last,
        type=filters.type,
    )
    await _make(tx, user_id, export_id)
    return await status(tx, user_id, export_id)


async def status(db: Queryable, user_id: UserId, export_id: ExportId) -> Export:
    """How far an export is, or what came of it.

    Raises:
        NotFound: there is none, it is deleted, or someone else's.
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
    """At most `limit` exports of this person's, newest first, from behind that one on."""
    return await statements.exports(
        db, user_id=user_id, id=None, before=before, only_open=False, limit=limit
    )


async def download(database: Database, bucket: Bucket, user_id: UserId, export_id: ExportId) -> str:
    """A URL under which whoever holds it may read the file for five minutes: never to be logged.

    An object that is not the one that was put there is made again.

    Raises:
        NotFound: there is none, it is deleted, or someone else's.
        Conflict: it is not finished, has failed, or is made again.
        Gone: it has expired.
    """
    export = await status(database, user_id, export_id)
    if export.status == "failed":
        raise Conflict(f"The export failed. {export.error}")
    if export.status != "completed":
        raise Conflict("The export is not ready yet.")
    if export.expired:
        raise Gone("The export has expired. Request it again.")
    if not await _intact(database, bucket, user_id, export):
        raise Conflict(
            "The file is missing or damaged and is being recreated. Try again in a minute."
        )
    return await bucket.presigned_url(
        key(user_id, export_id, export.format), filename(export.format)
    )


async def delete(tx: Transaction, user_id: UserId, export_id: ExportId) -> str:
    """Delete an export, and end its job. The caller discards the object once that is committed.

    Returns:
        The object's key.

    Raises:
        NotFound: there is none, it is deleted, or someone else's.
    """
    job_id = await statements.job_of_export(tx, id=export_id, user_id=user_id)
    if job_id is not None:  # first, since a job that completes takes the rows in this order
        await cancel_quietly(tx, job_id, "its export was deleted")
    deleted = await statements.delete_export(tx, id=export_id, user_id=user_id)
    if deleted is None:
        raise _no_such_export()
    return key(user_id, export_id, deleted)


async def _make(tx: Transaction, user_id: UserId, export_id: ExportId) -> None:
    job_id = await jobs.enqueue(tx, ExportGenerate(export_id, user_id))
    if job_id is not None:
        await statements.set_job(tx, id=export_id, job_id=job_id)


async def _intact(database: Database, bucket: Bucket, user_id: UserId, export: Export) -> bool:
    """Whether the object is the one that was put there; if not, its export is made again."""
    kept = await statements.kept_object(database, id=export.id, user_id=user_id)
    if kept is None:
        return False
    if await bucket.contains(key(user_id, export.id, export.format), kept):
        return True
    async with database.transaction() as tx:
        if await statements.forget_result(tx, id=export.id, user_id=user_id, etag=kept):
            await _make(tx, user_id, export.id)
    return False


def _no_such_export() -> NotFound:
    return NotFound("Export not found. Exports are available for seven days.")


STALE = timedelta(days=1)
"""After which an upload that is not complete is nobody's any more: no attempt takes as long."""


async def abort_stale_uploads(bucket: Bucket, now: datetime) -> None:
    """Abort the uploads that were given up with their attempt, and with their export.

    Raises:
        Unavailable: the bucket does not answer.
    """
    found = await bucket.incomplete_uploads(PREFIX)
    await bucket.abort_uploads([one for one in found if one.started_at < now - STALE])
