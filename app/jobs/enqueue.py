"""Enqueuing: insert a job's row in the transaction of the change that caused it."""

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

INSERT_BATCH = 1000
"""The most jobs that one statement inserts."""
MAX_DISPATCHES = 10_000
"""`enqueue_all` lets a transaction dispatch at most this many jobs. The relay dispatches the rest a
second or two later, so that their ids take up no memory here."""


async def enqueue(
    tx: Transaction, job: Job, *, run_at: datetime | None = None, unique_key: str | None = None
) -> JobId | None:
    """Insert a job that exists if and only if the transaction commits.

    A job that is due now is dispatched after the commit; one with a later `run_at` is dispatched by
    the relay. The row records the request that caused the job, and the request's trace.

    Args:
        unique_key: replaces the job's own unique key.

    Returns:
        The job's id, or None if there is an unfinished job with the same kind and unique key.
    """
    origin = logs.origin()
    inserted = await statements.insert_job(
        tx,
        kind=job.kind,
        queue=job.queue,
        payload=msgspec.json.encode(job).decode(),
        unique_key=unique_key or job.unique_key,
        user_id=_user_id(job),
        request_id=origin.request_id,
        traceparent=origin.traceparent,
        run_at=run_at,
        expires_in=job.expires_in,
    )
    if inserted is None:
        return None
    metrics.enqueued.labels(job.kind, job.queue).inc()
    if inserted.due:
        tx.dispatches.append(Dispatch(job.queue, inserted.id, inserted.run_at))
    return inserted.id


async def enqueue_all(
    tx: Transaction, jobs: Iterable[Job], *, run_at: datetime | None = None
) -> int:
    """Insert many jobs that exist if and only if the transaction commits.

    At most a thousand of them are in memory at a time.

    Returns:
        The number of jobs inserted. A job is left out if an unfinished one has the same kind and
        unique key.
    """
    origin, remaining, inserted = logs.origin(), iter(jobs), 0
    while batch := list(islice(remaining, INSERT_BATCH)):
        rows = await statements.insert_jobs(
            tx,
            kinds=[job.kind for job in batch],
            queues=[job.queue for job in batch],
            payloads=[msgspec.json.encode(job).decode() for job in batch],
            unique_keys=[job.unique_key for job in batch],
            user_ids=[_user_id(job) for job in batch],
            expires_in=[job.expires_in for job in batch],
            request_id=origin.request_id,
            traceparent=origin.traceparent,
            run_at=run_at,
        )
        inserted += len(rows)
        if len(tx.dispatches) + len(rows) <= MAX_DISPATCHES:
            tx.dispatches += [Dispatch(row.queue, row.id, row.run_at) for row in rows if row.due]
    return inserted


def _user_id(job: Job) -> UUID | None:
    """Return the id of the user that a job is about, if any. Operators can filter jobs by it."""
    return getattr(job, "user_id", None)
