"""Enqueuing: the row of a job goes in with the change that caused it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from uuid import UUID

import msgspec

from app import logs, metrics
from app.jobs import statements
from app.jobs.job import Job, JobId
from app.postgres.database import Dispatch, Transaction

PAGE = 1000
MAX_DISPATCHES = 10_000
"""Of one transaction. What is more waits for the relay, a second later, instead of in memory."""


async def enqueue(
    tx: Transaction, job: Job, *, run_at: datetime | None = None, unique_key: str | None = None
) -> JobId | None:
    """Insert a job that exists if and only if the transaction commits.

    It leaves for Redis after the commit when it is due now; a later `run_at` is left to the relay.
    The request that causes it, and that request's trace, go with it.

    Args:
        unique_key: in place of the job's own.

    Returns:
        The job's id, or None when an unfinished job of its kind and unique key exists already.
    """
    cause = logs.cause()
    inserted = await statements.insert_job(
        tx,
        kind=job.kind,
        queue=job.queue,
        payload=msgspec.json.encode(job).decode(),
        unique_key=unique_key or job.unique_key,
        user_id=_user_of(job),
        request_id=cause.request_id,
        traceparent=cause.traceparent,
        run_at=run_at,
        expires_in=job.expires_in,
    )
    if inserted is None:
        return None
    metrics.enqueued.labels(job.kind, job.queue).inc()
    if inserted.due:
        tx.dispatches.append(Dispatch(job.queue, inserted.id))
    return inserted.id


async def enqueue_all(
    tx: Transaction, many: Iterable[Job], *, run_at: datetime | None = None
) -> int:
    """Insert many jobs that exist if and only if the transaction commits, a thousand at a time.

    Never holds more than a thousand of them in memory.

    Returns:
        How many were inserted: those whose kind and unique key were not taken by an unfinished job.
    """
    cause, jobs, inserted = logs.cause(), iter(many), 0
    while page := list(islice(jobs, PAGE)):
        rows = await statements.insert_jobs(
            tx,
            kinds=[job.kind for job in page],
            queues=[job.queue for job in page],
            payloads=[msgspec.json.encode(job).decode() for job in page],
            unique_keys=[job.unique_key for job in page],
            user_ids=[_user_of(job) for job in page],
            expire_in=[job.expires_in for job in page],
            request_id=cause.request_id,
            traceparent=cause.traceparent,
            run_at=run_at,
        )
        inserted += len(rows)
        if run_at is None and len(tx.dispatches) + len(rows) <= MAX_DISPATCHES:
            tx.dispatches += [Dispatch(row.queue, row.id) for row in rows]
    return inserted


def _user_of(job: Job) -> UUID | None:
    """The user a job is about, so that operators can find it by person."""
    return getattr(job, "user_id", None)
