"""Handlers for a worker that fans out the weekly emails without sending them."""

from __future__ import annotations

from app.jobs import Run
from app.jobs.schedules.fan_out import Throttle
from app.stats import emails as weekly_summary
from app.stats.emails import SendWeeklySummaryEmail, WeeklyEmails

UNTHROTTLED = Throttle(max_waiting=1_000_000)
BATCHES_BEFORE_DEATH = 5
"""The number of batches that tests.schedules.killed_worker commits before it kills itself."""


async def fan_out_unthrottled(job: WeeklyEmails, run: Run) -> None:
    """Fan out the weekly emails without a throttle."""
    await weekly_summary.fan_out_emails(run, job.day, throttle=UNTHROTTLED)


async def send_nothing(_job: SendWeeklySummaryEmail, _run: Run) -> None: ...
