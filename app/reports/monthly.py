"""The monthly reports: who is to have one."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from app.jobs import Run
from app.jobs.schedules.fan_out import Batch, Throttle, end_dry_run, fan_out
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.reports import statements
from app.reports.emails import ReportReady
from app.reports.jobs import ReportGenerate
from app.reports.report import slug

THROTTLE = Throttle()


async def fan_out_reports(run: Run, month: date, *, throttle: Throttle = THROTTLE) -> None:
    """A report's job for everyone who was active in the month that has this first day.

    Raises:
        Snooze: enough reports wait; it goes on from where it is.
        LeaseLost: the job is another worker's now.
    """
    kind, queue, expires_in = ReportGenerate.kind, ReportGenerate.queue, ReportGenerate.expires_in

    async def enqueue(tx: Transaction, after: UUID | None, most: int) -> Batch:
        return await statements.enqueue_reports(tx, kind, queue, expires_in, month, after, most)

    await fan_out(run, ReportGenerate, enqueue, throttle)


async def count_reports(run: Run, db: Queryable, month: date) -> None:
    """A dry run: count who would get a report, and who a letter about it; enqueue nothing.

    Raises:
        LeaseLost: the job is another worker's now.
    """
    counted = await statements.count_reports(db, ReportReady.letter, slug(month), month)
    await end_dry_run(run, ReportGenerate, counted)
