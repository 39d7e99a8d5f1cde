"""Making a report: the figures are read, the PDF is drawn and put into the bucket, and then the row
and the email's job are committed with the end of the job."""

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
from app.reports.emails import ReportReady, ReportReadyEmail
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
from app.reports.statements import PrintedActivity
from app.s3 import Bucket
from app.stats import daily_totals
from app.stats.totals import total
from app.users.user import UserId


class ReportGenerate(Job, frozen=True):
    """Create one user's report for a month.

    The month is named by its first day.
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


@scheduled(day=1, hour=0, grace=timedelta(days=3), dry_run=True)
class MonthlyReports(ScheduledJob, frozen=True):
    """Create the report for a month for every user who was active in it.

    `day` is the last of the month. A dry run counts the reports and the emails.
    """

    kind = "reports:monthly"
    timeout = timedelta(hours=1)


MOST_LISTED = 1000
"""Activities in the table of a report."""

LEFT = "the account was deleted"

Clock: TypeAlias = Callable[[Queryable], Awaitable[datetime]]

log = structlog.get_logger(__name__)


class Month(NamedTuple):
    """All that a report is drawn from."""

    header: Header
    activities: list[PrintedActivity]


class Made(NamedTuple):
    """A report whose object is in the bucket, as it is put on record."""

    user_id: UserId
    month: date
    created_at: datetime
    """When what it says was read."""
    size_bytes: int
    sha256: str
    object_id: UUID
    etag: str

    @property
    def key(self) -> str:
        return key(self.user_id, self.month, self.object_id)


async def generate(
    run: Run,
    bucket: Bucket,
    renderer: Renderer,
    user_id: UserId,
    month: date,
    *,
    clock: Clock = postgres_clock,
) -> None:
    """Make a person's report of a month, in place of an earlier one, and have the email written.

    Each attempt writes an object of its own, and the row names the one that was committed: a failed
    or late attempt leaves an earlier report untouched. The nightly cleanup removes its object, and
    those that were replaced, which somebody may still be downloading. A deleted account gets no
    report, and neither does a month without activities. No email is sent before the month is over.

    Raises:
        Unavailable: the bucket is away.
        RenderingFailed: it could not be drawn.
        LeaseLost: the job is another worker's now.
    """
    async with run.transaction() as tx:
        known = await _read(tx, user_id, month, await clock(tx))
    if known is None:
        await bucket.delete(await bucket.keys(folder(user_id, month)))
        await run.finish_with_note(LEFT)
        return
    if not known.activities:
        await _forget(run, bucket, user_id, month)
        return
    pdf = await _draw(renderer, known)
    await run.assert_lease()
    made = await _put(bucket, user_id, known.header, pdf)
    try:
        await _record(run, made, clock)
    except _Left:
        await bucket.delete([made.key])
        await run.finish_with_note(LEFT)
        return
    log.info("report.made", month=str(month), size=len(pdf))


async def _forget(run: Run, bucket: Bucket, user_id: UserId, month: date) -> None:
    """There is nothing to make a report of. One of what was deleted since goes, too."""
    async with run.completion(f"no activities in {month:%B %Y}") as tx:
        forgotten = await statements.forget_report(tx, user_id=user_id, month=month)
    if forgotten:
        await bucket.discard(key(user_id, month, forgotten.object_id))


async def _put(bucket: Bucket, user_id: UserId, header: Header, pdf: bytes) -> Made:
    """Put the object under a key that no other attempt has."""
    object_id = uuid4()
    etag = await bucket.put(key(user_id, header.month, object_id), pdf, "application/pdf")
    sha256 = hashlib.sha256(pdf).hexdigest()
    return Made(user_id, header.month, header.created_at, len(pdf), sha256, object_id, etag)


class _Left(Exception):
    """The person is gone. The job is not done before what it has put is removed."""


async def _record(run: Run, made: Made, clock: Clock) -> None:
    """The report, the email's job and the end of this one, in one transaction.

    If the month ended meanwhile, the report is made again: the fan-out found this job unfinished
    and enqueued none.

    Raises:
        _Left: none of it was committed.
        LeaseLost: the job is another worker's now.
    """
    async with run.completion() as tx:
        recorded = await statements.record_report(
            tx,
            user_id=made.user_id,
            month=made.month,
            created_at=made.created_at,
            size_bytes=made.size_bytes,
            sha256=made.sha256,
            object_id=made.object_id,
            etag=made.etag,
        )
        if not recorded:
            raise _Left
        if is_over(made.month, made.created_at):
            await jobs.enqueue(tx, ReportReadyEmail(made.user_id, made.month))
        elif is_over(made.month, await clock(tx)):
            await jobs.enqueue(tx, ReportGenerate(made.user_id, made.month))


async def _read(tx: Transaction, user_id: UserId, month: date, now: datetime) -> Month | None:
    """None when the person has left."""
    name = await statements.report_owner(tx, user_id=user_id)
    if name is None:
        return None
    earlier = month_before(month)
    header = Header(
        name=name,
        month=month,
        before=total(await daily_totals.read(tx, user_id, earlier, last_day(earlier))),
        days=await daily_totals.read(tx, user_id, month, last_day(month)),
        types=await statements.types_of_month(tx, user_id=user_id, month=month),
        created_at=now,
    )
    activities = await statements.activities_of_month(
        tx, user_id=user_id, month=month, most=MOST_LISTED
    )
    return Month(header, activities)


async def _draw(renderer: Renderer, month: Month) -> bytes:
    async with renderer.rendering(DOCUMENT, month.header) as rendering:
        await rendering.send_rows([astuple(activity) for activity in month.activities])
        finished = await rendering.finish()
        return await finished.read()


THROTTLE = Throttle()


async def fan_out_reports(run: Run, month: date, *, throttle: Throttle = THROTTLE) -> None:
    """A report's job for everyone who was active in the month that has this first day.

    Raises:
        Snooze: enough reports wait; it goes on from where it is.
        LeaseLost: the job is another worker's now.
    """
    kind, queue, expires_in = ReportGenerate.kind, ReportGenerate.queue, ReportGenerate.expires_in

    async def enqueue(tx: Transaction, after: UUID | None, most: int) -> FanOutBatch:
        return await statements.enqueue_reports(
            tx, kind=kind, queue=queue, expires_in=expires_in, month=month, after=after, most=most
        )

    await fan_out(run, ReportGenerate, enqueue, throttle)


async def count_reports(run: Run, db: Queryable, month: date) -> None:
    """A dry run: count who would get a report, and who an email about it; enqueue nothing.

    Raises:
        LeaseLost: the job is another worker's now.
    """
    counted = await statements.count_reports(
        db, template=ReportReady.template, unique_key=slug(month), month=month
    )
    await finish_dry_run(run, ReportGenerate, counted)


@handles(ReportGenerate)
async def generate_report(
    job: ReportGenerate, run: Run, bucket: Bucket, renderer: Renderer
) -> None:
    await generate(run, bucket, renderer, job.user_id, job.month)


@handles(MonthlyReports)
async def monthly_reports(job: MonthlyReports, run: Run, database: Database) -> None:
    month = job.day.replace(day=1)
    if job.dry_run:
        await count_reports(run, database, month)
    else:
        await fan_out_reports(run, month)
