"""What people do with their reports: see which there are, and download one."""

from __future__ import annotations

from datetime import date

from app.postgres.query import Queryable
from app.reports import statements
from app.reports.report import Report, filename, key, no_such_report
from app.s3 import Bucket
from app.users.user import UserId


async def reports(db: Queryable, user_id: UserId, before: date | None, limit: int) -> list[Report]:
    """At most `limit` reports, newest month first.

    Args:
        before: the month that the page before ended with; None at the beginning.
    """
    return await statements.reports(db, user_id, before, limit)


async def download(db: Queryable, bucket: Bucket, user_id: UserId, month: date) -> str:
    """A URL under which whoever holds it can download the report, for five minutes.

    Raises:
        NotFound: there is no report of this month.
    """
    if not await statements.has_report(db, user_id, month):
        raise no_such_report()
    return await bucket.presigned_url(key(user_id, month), filename(month))
