"""What people do with their reports: see which there are, and download one."""

from __future__ import annotations

import asyncio
from datetime import date

import structlog

from app import jobs
from app.errors import Conflict, NotFound, Unavailable
from app.postgres.query import Queryable
from app.reports import statements
from app.reports.jobs import ReportGenerate
from app.reports.report import Report, filename, key, no_such_report, slug
from app.s3 import Bucket
from app.transaction import Database
from app.users.user import UserId

LOOK = 2
"""Seconds that a download waits for the bucket to say that it has the object."""

log = structlog.get_logger(__name__)


async def reports(db: Queryable, user_id: UserId, before: date | None, limit: int) -> list[Report]:
    """At most `limit` reports, newest month first.

    Args:
        before: the month that the page before ended with; None at the beginning.
    """
    return await statements.reports(db, user_id, before, limit)


async def download(database: Database, bucket: Bucket, user_id: UserId, month: date) -> str:
    """A URL under which whoever holds it can download the report, for five minutes.

    A report whose object is gone is made again.

    Raises:
        NotFound: there is no report of this month.
        Conflict: it is made again.
    """
    if not await statements.has_report(database, user_id, month):
        raise no_such_report()
    if await _is_gone(bucket, key(user_id, month)):
        log.warning("report.object_gone", user=str(user_id), month=slug(month))
        async with database.transaction() as tx:
            await jobs.enqueue(tx, ReportGenerate(user_id, month))
        raise Conflict("The file is gone. It is being made again.")
    return await bucket.presigned_url(key(user_id, month), filename(month))


async def _is_gone(bucket: Bucket, object_key: str) -> bool:
    """A bucket that does not answer soon is not waited for: it will speak for itself."""
    try:
        async with asyncio.timeout(LOOK):
            await bucket.head(object_key)
    except NotFound:
        return True
    except (TimeoutError, Unavailable):
        return False
    return False
