"""The jobs for monthly reports: the fan-out, and the creation of one user's report.

A report's content is read, rendered and put into the bucket. Then its row, the email's job and the
end of the report's job are committed together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeAlias
from uuid import UUID, uuid4

import structlog
from msgspec.structs import astuple

from app import jobs
from app.jobs import Job, Run, handles
from app.jobs.schedules import ScheduledJob, scheduled
from app.jobs.schedules.fan_out import FanOutBatch, Throttle, fan_out, finish_dry_run
from app.jobs.schedules.statements import clock as postgres_clock
from app.pdf import Renderer
from app.postgres.database import Database, Transaction
from app.postgres.statements import Queryable
from app.reports import statements
from app.reports.emails import ReportReady, SendReportReadyEmail
from app.reports.report import (
    DOCUMENT,
    Header,
    check_month,
    folder,
    is_over,
    key,
    last_day,
    month_before,
    slug,
)
from app.reports.statements import ListedActivity
from app.s3 import Bucket
from app.stats import daily_totals
from app.stats.totals import total
from app.users.user import UserId


class GenerateReport(Job, frozen=True):
    """Create one user's report for a month.

    `month` is the first day of the month.
    """

    kind = "report:generate"
    queue = "low"
    timeout = timedelta(minutes=10)
    expires_in = timedelta(days=14)

    user_id: UserId
    month: date

    def __post_init__(self) -> None:
        check_month(self.month)

    @property
    def unique_key(self) -> str:
        return f"{self.user_id} {self.month:%Y-%m}"


@scheduled(day=1, hour=0, grace=timedelta(days=3), supports_dry_run=True)
class MonthlyReports(ScheduledJob, frozen=True):
    """Create the report for a month for every user who was active in it.

    `day` is the last day of the month. A dry run counts the reports and the emails.
    """

    kind = "reports:monthly"
    timeout = timedelta(hours=1)


MAX_LISTED_ACTIVITIES = 1000
"""The most rows in the table of a report."""

DELETED = "the account was deleted"

Clock: TypeAlias = Callable[[Queryable], Awaitable[datetime]]

log = structlog.get_logger(__name__)


class ReportContent(NamedTuple):
    """Everything that a report shows."""

    header: Header
    activities: list[ListedActivity]


class StoredReport(NamedTuple):
    """A report whose object is in the bucket, but whose row is not committed yet."""

    user_id: UserId
    month: date
    created_at: datetime
    """When the report's content was read."""
    size_bytes: int
    sha256: str
    object_id: UUID
    etag: str

    @property
    def key(self) -> str:
        return key(self.user_id, self.month, self.object_id)


async def create_report(
    run: Run,
    bucket: Bucket,
    renderer: Renderer,
    user_id: UserId,
    month: date,
    *,
    clock: Clock = postgres_clock,
) -> None:
    """Create a user's report for a month, replacing an earlier one, and enqueue the email about it.

    Each attempt writes its own object, and the row names the object of the attempt that committed
    it. A failed or late attempt therefore leaves an earlier report intact. The objects of such
    attempts are left to the nightly cleanup, and so are replaced objects, because someone may still
    be downloading them. Deleted accounts and months without activities get no report. No email is
    sent before the month is over.

    Raises:
        Unavailable: the bucket is unavailable.
        RenderingFailed: the PDF could not be rendered.
        LeaseLost: this attempt has lost its job.
    """
    async with run.transaction() as tx:
        content = await _read_content(tx, user_id, month, await clock(tx))
    if content is None:
        await bucket.delete(await bucket.keys(folder(user_id, month)))
        await run.finish_with_note(DELETED)
        return
    if not content.activities:
        await _delete_empty_report(run, bucket, user_id, month)
        return
    pdf = await _render(renderer, content)
    await run.assert_lease()
    report = await _store(bucket, user_id, content.header, pdf)
    try:
        await _record(run, report, clock)
    except _UserDeleted:
        await bucket.delete([report.key])
        await run.finish_with_note(DELETED)
        return
    log.info("report.created", month=str(month), size=len(pdf))


async def _delete_empty_report(run: Run, bucket: Bucket, user_id: UserId, month: date) -> None:
    """Finish the job, and delete any earlier report: its activities have since been deleted."""
    async with run.completion(f"no activities in {month:%B %Y}") as tx:
        deleted = await statements.delete_report(tx, user_id=user_id, month=month)
    if deleted:
        await bucket.discard(key(user_id, month, deleted.object_id))


async def _store(bucket: Bucket, user_id: UserId, header: Header, pdf: bytes) -> StoredReport:
    """Put the PDF into the bucket, under a key that only this attempt uses."""
    object_id = uuid4()
    etag = await bucket.put(key(user_id, header.month, object_id), pdf, "application/pdf")
    sha256 = hashlib.sha256(pdf).hexdigest()
    return StoredReport(user_id, header.month, header.created_at, len(pdf), sha256, object_id, etag)


class _UserDeleted(Exception):
    """The account was deleted in the meantime. The caller must remove the object."""


async def _record(run: Run, report: StoredReport, clock: Clock) -> None:
    """Commit the report, the email's job and the end of this job in one transaction.

    If the month has ended in the meantime, enqueue the report again: the fan-out may have found
    this job unfinished, and therefore not have enqueued another.

    Raises:
        _UserDeleted: nothing was committed.
        LeaseLost: this attempt has lost its job.
    """
    async with run.completion() as tx:
        recorded = await statements.record_report(
            tx,
            user_id=report.user_id,
            month=report.month,
            created_at=report.created_at,
            size_bytes=report.size_bytes,
            sha256=report.sha256,
            object_id=report.object_id,
            etag=report.etag,
        )
        if not recorded:
            raise _UserDeleted
        if is_over(report.month, report.created_at):
            await jobs.enqueue(tx, SendReportReadyEmail(report.user_id, report.month))
        elif is_over(report.month, await clock(tx)):
            await jobs.enqueue(tx, GenerateReport(report.user_id, report.month))


async def _read_content(
    tx: Transaction, user_id: UserId, month: date, now: datetime
) -> ReportContent | None:
    """Read what the report shows. Return None if the account has been deleted."""
    name = await statements.report_owner_name(tx, user_id=user_id)
    if name is None:
        return None
    earlier = month_before(month)
    header = Header(
        name=name,
        month=month,
        before=total(await daily_totals.read(tx, user_id, earlier, last_day(earlier))),
        days=await daily_totals.read(tx, user_id, month, last_day(month)),
        types=await statements.totals_by_type(tx, user_id=user_id, month=month),
        created_at=now,
    )
    activities = await statements.activities_in_month(
        tx, user_id=user_id, month=month, limit=MAX_LISTED_ACTIVITIES
    )
    return ReportContent(header, activities)


async def _render(renderer: Renderer, content: ReportContent) -> bytes:
    async with renderer.rendering(DOCUMENT, content.header) as rendering:
        await rendering.send_rows([astuple(activity) for activity in content.activities])
        pdf = await rendering.finish()
        return await pdf.read()


THROTTLE = Throttle()


async def fan_out_reports(run: Run, month: date, *, throttle: Throttle = THROTTLE) -> None:
    """Enqueue a report for every user who was active in the month.

    Raises:
        Snooze: too many jobs are waiting; the fan-out continues later from its position.
        LeaseLost: this attempt has lost its job.
    """
    kind, queue, expires_in = GenerateReport.kind, GenerateReport.queue, GenerateReport.expires_in

    async def enqueue(tx: Transaction, after: UUID | None, limit: int) -> FanOutBatch:
        return await statements.enqueue_reports(
            tx, kind=kind, queue=queue, expires_in=expires_in, month=month, after=after, limit=limit
        )

    await fan_out(run, GenerateReport, enqueue, throttle)


async def count_reports(run: Run, db: Queryable, month: date) -> None:
    """Dry run: count the reports and emails that would be created, and enqueue nothing.

    Raises:
        LeaseLost: this attempt has lost its job.
    """
    counted = await statements.count_reports(
        db, template=ReportReady.template, unique_key=slug(month), month=month
    )
    await finish_dry_run(run, GenerateReport, counted)


@handles(GenerateReport)
async def generate_report(
    job: GenerateReport, run: Run, bucket: Bucket, renderer: Renderer
) -> None:
    await create_report(run, bucket, renderer, job.user_id, job.month)


@handles(MonthlyReports)
async def enqueue_monthly_reports(job: MonthlyReports, run: Run, database: Database) -> None:
    month = job.day.replace(day=1)
    if job.dry_run:
        await count_reports(run, database, month)
    else:
        await fan_out_reports(run, month)
