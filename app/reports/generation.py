"""Making a report: the figures are read, the PDF is drawn and put into the bucket, and then the row
and the letter's job are committed with the end of the job."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import NamedTuple

import structlog
from msgspec.structs import astuple

from app import jobs
from app.jobs import Run
from app.pdf import Artists
from app.reports import statements
from app.reports.cover import DOCUMENT, Cover
from app.reports.jobs import ReportReadyEmail
from app.reports.report import key, last_day, month_before
from app.reports.statements import PrintedActivity
from app.s3 import Bucket
from app.stats import reading
from app.stats.figures import total
from app.transaction import Transaction
from app.users.user import UserId

MOST_LISTED = 1000
"""Activities in the table of a report."""

log = structlog.get_logger(__name__)


class Month(NamedTuple):
    """All that a report is drawn from."""

    cover: Cover
    activities: list[PrintedActivity]


async def generate(
    run: Run, bucket: Bucket, artists: Artists, user_id: UserId, month: date
) -> None:
    """Make a person's report of a month, in place of an earlier one, and have the letter written.

    Someone who has left gets none, and one that was put while they left is removed again. Without
    an activity in the month there is none either.

    Raises:
        Unavailable: the bucket is away.
        DrawingFailed: it could not be drawn.
        LeaseLost: the job is another worker's now.
    """
    async with run.transaction() as tx:
        known = await _read(tx, user_id, month)
    if known is None:
        await bucket.delete([key(user_id, month)])
        return
    if not known.activities:
        await _forget(run, bucket, user_id, month)
        return
    pdf = await _draw(artists, known)
    await run.held()
    await bucket.put(key(user_id, month), pdf, "application/pdf")
    try:
        await _record(run, user_id, month, pdf)
    except _Left:
        await bucket.delete([key(user_id, month)])
        return
    log.info("report.made", month=str(month), size=len(pdf))


async def _forget(run: Run, bucket: Bucket, user_id: UserId, month: date) -> None:
    """There is nothing to make a report of. One of what was deleted since goes, too."""
    await bucket.delete([key(user_id, month)])
    async with run.completion() as tx:
        await statements.forget_report(tx, user_id, month)


class _Left(Exception):
    """The person is gone. The job is not done before what it has put is removed."""


async def _record(run: Run, user_id: UserId, month: date, pdf: bytes) -> None:
    """The report, the letter's job and the end of this one, in one transaction.

    Raises:
        _Left: none of it was committed.
        LeaseLost: the job is another worker's now.
    """
    sha256 = hashlib.sha256(pdf).hexdigest()
    async with run.completion() as tx:
        if not await statements.record_report(tx, user_id, month, len(pdf), sha256):
            raise _Left
        await jobs.enqueue(tx, ReportReadyEmail(user_id=user_id, month=month))


async def _read(tx: Transaction, user_id: UserId, month: date) -> Month | None:
    """None when the person has left."""
    owner = await statements.report_owner(tx, user_id)
    if owner is None:
        return None
    earlier = month_before(month)
    cover = Cover(
        name=owner.name,
        month=month,
        before=total(await reading.daily(tx, user_id, earlier, last_day(earlier))),
        days=await reading.daily(tx, user_id, month, last_day(month)),
        types=await statements.types_of_month(tx, user_id, month),
        made_at=owner.now,
    )
    activities = await statements.activities_of_month(tx, user_id, month, MOST_LISTED)
    return Month(cover, activities)


async def _draw(artists: Artists, month: Month) -> bytes:
    async with artists.drawing(DOCUMENT, month.cover) as drawing:
        await drawing.rows([astuple(activity) for activity in month.activities])
        finished = await drawing.finish()
        return await finished.read()
