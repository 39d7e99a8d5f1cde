"""`arq tests.kit.fanout_worker.WorkerSettings`: the real worker, which fans out without a throttle
and whose letters are written nowhere."""

from __future__ import annotations

from app.jobs import Run
from app.jobs.scheduling.fanout import Throttle
from app.resources import Resources
from app.stats import weekly
from app.stats.jobs import WeeklySummaryEmail
from app.stats.scheduled import WeeklyEmails
from worker import WorkerSettings
from worker.handler import HANDLERS

__all__ = ["WorkerSettings"]


async def fan_out(job: WeeklyEmails, run: Run, _: Resources) -> None:
    await weekly.fan_out_emails(run, job.day, throttle=Throttle(most_waiting=1_000_000))


async def write_nothing(_job: WeeklySummaryEmail, _run: Run, _: Resources) -> None: ...


HANDLERS[WeeklyEmails] = fan_out
HANDLERS[WeeklySummaryEmail] = write_nothing
