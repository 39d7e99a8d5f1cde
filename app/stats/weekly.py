"""The weekly letters: who is to have one."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from app.jobs import Run
from app.jobs.scheduling.fanout import Batch, Throttle, end_dry_run, fan_out
from app.postgres.query import Queryable
from app.stats import statements
from app.stats.jobs import WeeklySummaryEmail
from app.stats.letters import WeeklySummary, occasion
from app.transaction import Transaction

THROTTLE = Throttle()


async def fan_out_emails(run: Run, saturday: date, *, throttle: Throttle = THROTTLE) -> None:
    """A letter's job for everyone with a confirmed address that is not suppressed, who did not opt
    out and was active in the four weeks that end on that Saturday.

    Raises:
        Snooze: enough letters wait; it goes on from where it is.
        LeaseLost: the job is another worker's now.
    """
    kind, queue = WeeklySummaryEmail.kind, WeeklySummaryEmail.queue
    useful_for = WeeklySummaryEmail.useful_for

    async def enqueue(tx: Transaction, after: UUID | None, most: int) -> Batch:
        return await statements.enqueue_weekly_emails(
            tx, kind, queue, useful_for, saturday, after, most
        )

    await fan_out(run, WeeklySummaryEmail, enqueue, throttle)


async def count_emails(run: Run, db: Queryable, saturday: date) -> None:
    """A dry run: count who would be written to and why the others would not; enqueue nothing.

    Raises:
        LeaseLost: the job is another worker's now.
    """
    counted = await statements.count_weekly_emails(
        db, WeeklySummary.letter, occasion(saturday), saturday
    )
    await end_dry_run(run, WeeklySummaryEmail, counted)
