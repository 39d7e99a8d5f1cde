"""Daily statistics: count a day for all users in one statement, and recount changed days."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from app.jobs import Run, handles
from app.jobs.outcomes import Snooze
from app.jobs.schedules import ScheduledJob, scheduled
from app.jobs.schedules.fan_out import save_counts
from app.postgres.database import LockTimeout, Transaction
from app.stats import statements


@scheduled(hour=0, grace=timedelta(days=7), catch_up_all=True)
class DailyStatistics(ScheduledJob, frozen=True):
    """Compute all users' statistics for a day, and for other days that have changed."""

    kind = "stats:daily"
    timeout = timedelta(hours=1)


@scheduled(minute=30, grace=timedelta(hours=1))
class StaleStatistics(ScheduledJob, frozen=True):
    """Recompute the statistics for days with changed activities."""

    kind = "stats:recount"
    timeout = timedelta(hours=1)


log = structlog.get_logger()

RECOUNT_BATCH_ROWS = 5000
"""The most rows of `stale_days`, each for a user and a day, that one transaction recounts."""
LOCK_RETRY_DELAY = timedelta(seconds=30)


@handles(DailyStatistics)
async def count_day(job: DailyStatistics, run: Run) -> None:
    """Recount the days that have changed; then count this day, and mark it as counted.

    The count and the mark commit together. Counting the day again changes nothing.

    Raises:
        Snooze: another count is running.
        LeaseLost: this attempt has lost its job.
    """
    recounted = await _recount(run)
    async with run.completion() as tx, _day_counts_lock(tx):
        counted = await statements.count_day(tx, day=job.day)
        counts = {
            "users": counted.users,
            "activities": counted.activities,
            "recounted": recounted,
        }
        await save_counts(tx, run, counts)
    log.info("stats.day_counted", day=str(job.day), **counts)


@handles(StaleStatistics)
async def recount_stale(_job: StaleStatistics, run: Run) -> None:
    """Recount all days that have changed.

    Raises:
        Snooze: another count is running.
        LeaseLost: this attempt has lost its job.
    """
    recounted = await _recount(run)
    async with run.completion() as tx:
        await save_counts(tx, run, {"recounted": recounted})


async def _recount(run: Run) -> int:
    recounted = 0
    while True:
        async with run.transaction() as tx, _day_counts_lock(tx):
            batch = await statements.recount_stale(tx, limit=RECOUNT_BATCH_ROWS)
        recounted += batch
        if batch < RECOUNT_BATCH_ROWS:
            return recounted


@asynccontextmanager
async def _day_counts_lock(tx: Transaction) -> AsyncIterator[None]:
    """Let no other count start before this transaction ends.

    A statement sees what was committed when it started. Without this lock, the first of two
    counts could finish last, and overwrite the newer result.
    """
    try:
        await statements.lock_day_counts(tx)
    except LockTimeout:
        raise Snooze("another job is updating the statistics", delay=LOCK_RETRY_DELAY) from None
    yield
