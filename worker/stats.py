"""Counting, and the weekly letters' fan-out."""

from __future__ import annotations

from app.jobs import Run
from app.resources import Resources
from app.stats import counting, weekly_summary
from app.stats.counting import DailyStatistics, StaleStatistics, WeeklyEmails
from worker.attempt import handles


@handles(DailyStatistics)
async def count_day(job: DailyStatistics, run: Run, _: Resources) -> None:
    await counting.count_day(run, job.day)


@handles(StaleStatistics)
async def recount_stale(_job: StaleStatistics, run: Run, _: Resources) -> None:
    await counting.recount_stale(run)


@handles(WeeklyEmails)
async def fan_out_emails(job: WeeklyEmails, run: Run, resources: Resources) -> None:
    if job.dry_run:
        await weekly_summary.count_emails(run, resources.database, job.day)
    else:
        await weekly_summary.fan_out_emails(run, job.day)
