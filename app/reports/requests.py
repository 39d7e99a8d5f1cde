"""Use cases for reports: listing them and downloading one."""

from __future__ import annotations

from datetime import date

from app import jobs, problems
from app.errors import Conflict
from app.postgres.database import Database
from app.postgres.statements import Queryable
from app.reports import statements
from app.reports.jobs import GenerateReport
from app.reports.report import Report, filename, key, no_such_report
from app.s3 import Bucket
from app.users.user import UserId


async def reports(db: Queryable, user_id: UserId, before: date | None, limit: int) -> list[Report]:
    """Return at most `limit` of a user's reports, newest month first.

    Args:
        before: the last month on the previous page; None for the first page.
    """
    return await statements.reports(db, user_id=user_id, before=before, limit=limit)


async def download(database: Database, bucket: Bucket, user_id: UserId, month: date) -> str:
    """Return a download URL. It works for five minutes without signing in, so never log it.

    If the object is missing, or is not the one that was stored, the report is created again.

    Raises:
        NotFound: there is no report for this month.
        Conflict: the report is being created again.
    """
    report = await statements.report_object(database, user_id=user_id, month=month)
    if report is None:
        raise no_such_report()
    object_key = key(user_id, month, report.object_id)
    if not await bucket.contains(object_key, report.etag):
        async with database.transaction() as tx:
            await jobs.enqueue(tx, GenerateReport(user_id, month))
        raise Conflict(
            "The file is missing or damaged and is being recreated. Try again in a minute.",
            problem=problems.FILE_BEING_RECREATED,
        )
    return await bucket.presigned_url(object_key, filename(month))
