"""Enqueuing: the row of a job goes in with the change that caused it."""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog

from app.jobs import statements
from app.jobs.job import Job, JobId
from app.transaction import Departure, Transaction


async def enqueue(tx: Transaction, job: Job, *, run_at: datetime | None = None) -> JobId | None:
    """Insert a job that exists if and only if the transaction commits.

    It leaves for Redis after the commit when it is due now; a later `run_at` is left to the relay.
    The request id of the log context goes with it.

    Returns:
        The job's id, or None when an unfinished job of its kind and occasion exists already.
    """
    inserted = await statements.insert_job(
        tx,
        job.kind,
        job.queue,
        msgspec.json.encode(job).decode(),
        job.occasion,
        job.concerns,
        structlog.contextvars.get_contextvars().get("request_id"),
        run_at,
        job.useful_for,
    )
    if inserted is None:
        return None
    if inserted.due:
        tx.departures.append(Departure(job.queue, inserted.id))
    return inserted.id
