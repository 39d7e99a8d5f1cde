"""The schedules' cron jobs, in UTC, and the loop that catches up on missed ticks.

arq only wakes us up. The clock says which ticks are due; Postgres decides which worker fires them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import time
from typing import Any, TypeAlias

import structlog
from arq import cron
from arq.cron import CronJob

from app import metrics
from app.errors import Failure
from app.jobs.schedules import SCHEDULES, Schedule, fire_due, history, statements
from app.postgres.database import Database
from app.postgres.statements import Queryable

log = structlog.get_logger()

INTERVAL_S = 60.0
"""Seconds between two checks for due ticks, independent of arq's calls."""

Clock: TypeAlias = Callable[[Queryable], Awaitable[datetime]]
"""The schedules' clock: Postgres's, or a clock that a test passes in."""

postgres_clock: Clock = statements.clock


async def fire(ctx: dict[str, Any]) -> None:
    """Fire the due ticks. arq calls this at every tick."""
    try:
        database = ctx["database"]
        await fire_due(database, now=await ctx["clock"](database))
    except Failure as error:
        log.warning("schedules.check_failed", error=error.detail)


def cron_job(schedule: Schedule) -> CronJob:
    """Make the arq cron job for a schedule."""
    return cron(
        fire,
        name=f"cron:{schedule.name}",
        day=schedule.day,
        weekday=schedule.weekday,
        hour=schedule.hour,
        minute=schedule.minute,
    )


def cron_jobs() -> list[CronJob]:
    """Make one arq cron job for each schedule."""
    return [cron_job(schedule) for schedule in SCHEDULES.values()]


async def run_schedule_loop(database: Database, clock: Clock) -> None:
    """Every minute, fire the due ticks and publish the schedules' metrics, until cancelled."""
    while True:
        try:
            await fire_due(database, now=await clock(database))
            metrics.schedules_checked.set(time())
            await publish_metrics(database, now=await clock(database))
        except Failure as error:
            log.warning("schedules.check_failed", error=error.detail)
        await asyncio.sleep(INTERVAL_S)


async def publish_metrics(db: Queryable, *, now: datetime) -> None:
    """Set the schedules' metrics."""
    for schedule in await history.list_schedules(db, now=now):
        if schedule.last_success_at:
            metrics.schedule_last_success.labels(schedule.name).set(
                schedule.last_success_at.timestamp()
            )
        if schedule.last_duration_s is not None:
            metrics.schedule_duration.labels(schedule.name).set(schedule.last_duration_s)
        metrics.schedule_failures.labels(schedule.name).set(schedule.consecutive_failures)
        next_run = schedule.next_run_at or datetime.fromtimestamp(0, UTC)
        metrics.schedule_next_due.labels(schedule.name).set(next_run.timestamp())
    running = {row.schedule: row.seconds for row in await statements.unfinished_runs(db)}
    for name in SCHEDULES:
        metrics.schedule_running.labels(name).set(running.get(name, 0))
    for row in await statements.run_outcomes(db):
        metrics.schedule_runs.labels(row.schedule, row.state).set(row.runs)
