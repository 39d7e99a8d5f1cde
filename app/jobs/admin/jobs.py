"""Jobs for operators: list, inspect and cancel them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog

from app.errors import Conflict, NotFound
from app.jobs.admin import statements
from app.jobs.admin.rows import JobAttempt, JobDetail, JobSummary, State, TimelineEvent
from app.jobs.admin.statements import JobRow
from app.jobs.job import JobId, Queue
from app.jobs.reclaim import enqueue_on_failure
from app.postgres.database import Transaction
from app.postgres.statements import Queryable

log = structlog.get_logger(__name__)


class JobFilter(NamedTuple):
    """Which jobs to list; None means any. `user_id` is the user that a job is about."""

    state: State | None = None
    kind: str | None = None
    queue: Queue | None = None
    user_id: UUID | None = None
    fingerprint: str | None = None
    search: str | None = None
    """A request id, a unique key, or part of an error."""


async def list_jobs(
    db: Queryable, filters: JobFilter, before: JobId | None, limit: int
) -> list[JobSummary]:
    """List at most `limit` jobs older than `before`, newest first."""
    return await statements.jobs_before(
        db,
        state=filters.state,
        kind=filters.kind,
        queue=filters.queue,
        user_id=filters.user_id,
        fingerprint=filters.fingerprint,
        search=filters.search,
        before=before,
        limit=limit,
    )


async def find_job(db: Queryable, job_id: JobId) -> JobDetail:
    """Return a job with its attempts and timeline.

    Raises:
        NotFound: there is no such job, or it was deleted.
    """
    row = await find_row(db, job_id)
    attempts = await statements.attempts(db, job_id=job_id)
    fields = msgspec.structs.asdict(row)
    fields["payload"] = msgspec.json.decode(row.payload)
    fields["progress"] = msgspec.json.decode(row.progress) if row.progress else None
    return JobDetail(**fields, attempts=attempts, timeline=_timeline(row, attempts))


async def find_row(db: Queryable, job_id: JobId) -> JobRow:
    """Return a job's row.

    Raises:
        NotFound: there is no such job, or it was deleted.
    """
    row = await statements.job(db, id=job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def _timeline(job: JobRow, attempts: Sequence[JobAttempt]) -> list[TimelineEvent]:
    return sorted(_events(job, attempts), key=lambda event: event.at)


def _events(job: JobRow, attempts: Sequence[JobAttempt]) -> Iterator[TimelineEvent]:
    yield TimelineEvent(job.enqueued_at, "enqueued")
    for attempt in attempts:
        yield TimelineEvent(attempt.started_at, f"attempt {attempt.attempt} started")
        yield TimelineEvent(
            attempt.finished_at, f"attempt {attempt.attempt} ended: {attempt.outcome}"
        )
    latest = max((attempt.attempt for attempt in attempts), default=0)
    if job.started_at and job.attempt > latest:
        yield TimelineEvent(job.started_at, f"attempt {job.attempt} started")
    if job.cancel_requested_at:
        yield TimelineEvent(job.cancel_requested_at, "cancellation requested")
    if job.finished_at:
        yield TimelineEvent(job.finished_at, job.state)
    elif job.state != "running":
        yield TimelineEvent(job.run_at, f"due ({job.state})")


NOT_CANCELLABLE = {
    "done": "it is already done",
    "dead": "it is already dead; retry or discard it instead",
    "cancelled": "it is already cancelled",
}


async def cancel_job(tx: Transaction, job_id: JobId, *, by: str) -> State:
    """Cancel a waiting job at once, or have a running job interrupted within 2 s.

    If the job is done before that, it stays done.

    Returns:
        `cancelled`, or `running` if cancellation was requested.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has finished, or its state has just changed; the message gives the state.
    """
    cancelled = await statements.cancel(tx, id=job_id, why="cancelled by an operator")
    if cancelled is None:
        row = await find_row(tx, job_id)
        why = NOT_CANCELLABLE.get(row.state, f"it has just become {row.state}; try again")
        raise Conflict(f"The job cannot be cancelled: {why}.")
    if cancelled.state == "cancelled":
        await enqueue_on_failure(tx, cancelled.kind, cancelled.payload)
    log.info("operator.cancelled_job", job=str(job_id), state=cancelled.state, by=by)
    return cancelled.state


async def cancel_quietly(tx: Transaction, job_id: JobId, why: str) -> None:
    """Cancel a job that is no longer needed, if it exists and has not finished.

    This is not logged. If the job is waiting, its `on_failure` job is not enqueued.
    """
    await statements.cancel(tx, id=job_id, why=why)
