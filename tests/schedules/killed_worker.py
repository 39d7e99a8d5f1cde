"""`arq tests.schedules.killed_worker.WorkerSettings`: a worker that kills itself during a fan-out.

It dies during the transaction for the sixth batch.
"""

from __future__ import annotations

import os
import signal
from uuid import UUID

from app.jobs import Run
from app.jobs.handlers import Handlers
from app.jobs.schedules.fan_out import FanOutBatch, fan_out
from app.postgres.database import Transaction
from app.stats.emails import SendWeeklySummaryEmail, WeeklyEmails
from app.stats.statements import enqueue_weekly_emails
from tests.support.fanning import BATCHES_BEFORE_DEATH, UNTHROTTLED, send_nothing
from worker import worker_settings_from_environment

__all__ = ["WorkerSettings"]


async def fan_out_and_die(job: WeeklyEmails, run: Run) -> None:
    batches = 0

    async def enqueue(tx: Transaction, after: UUID | None, limit: int) -> FanOutBatch:
        nonlocal batches
        kind, queue = SendWeeklySummaryEmail.kind, SendWeeklySummaryEmail.queue
        batch = await enqueue_weekly_emails(
            tx, kind=kind, queue=queue, expires_in=None, saturday=job.day, after=after, limit=limit
        )
        if batches == BATCHES_BEFORE_DEATH:
            os.kill(os.getpid(), signal.SIGKILL)
        batches += 1
        return batch

    await fan_out(run, SendWeeklySummaryEmail, enqueue, UNTHROTTLED)


OVERRIDES: Handlers = {WeeklyEmails: fan_out_and_die, SendWeeklySummaryEmail: send_nothing}

WorkerSettings = worker_settings_from_environment(clock=None, overrides=OVERRIDES)
