"""Jobs for operators: list, inspect and cancel them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog

from app.errors import Conflict, NotFound
from app.jobs.admin import statements
from app.jobs.admin.rows import Attempt, JobDetail, JobSummary, Moment, State
from app.jobs.admin.statements import JobRow
from app.jobs.job import JobId, Queue
from app.jobs.reclaim import enqueue_on_failure
from app.postgres.database import Transaction
from app.postgres.statements import Queryable


class Filter(NamedTuple):
    """The jobs that are wanted; None means any. The user is the one whom a job is about."""

    state: State | None = None
    kind: str | None = None
    queue: Queue | None = None
    user_id: UUID | None = None
    fingerprint: str | None = None
    search: str | None = None
    """A request's id, a unique key, or words of an error."""


async def page(db: Queryable, wanted: Filter, before: JobId | None, limit: int) -> list[JobSummary]:
    """At most `limit` jobs that follow `before`, newest first."""
    return await statements.jobs_before(
        db,
        state=wanted.state,
        kind=wanted.kind,
        queue=wanted.queue,
        user_id=wanted.user_id,
        fingerprint=wanted.fingerprint,
        search=wanted.search,
        before=before,
        limit=limit,
    )


async def find(db: Queryable, job_id: JobId) -> JobDetail:
    """
    Raises:
        NotFound: there is no such job, or no longer.
    """
    row = await find_row(db, job_id)
    attempts = await statements.attempts(db, job_id=job_id)
    known = msgspec.structs.asdict(row)
    known["payload"] = msgspec.json.decode(row.payload)
    known["progress"] = msgspec.json.decode(row.progress) if row.progress else None
    return JobDetail(**known, attempts=attempts, timeline=_timeline(row, attempts))


async def find_row(db: Queryable, job_id: JobId) -> JobRow:
    """
    Raises:
        NotFound: there is no such job, or no longer.
    """
    row = await statements.job(db, id=job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def _timeline(job: JobRow, attempts: Sequence[Attempt]) -> list[Moment]:
    return sorted(_moments(job, attempts), key=lambda moment: moment.at)


def _moments(job: JobRow, attempts: Sequence[Attempt]) -> Iterator[Moment]:
    yield Moment(job.enqueued_at, "enqueued")
    for past in attempts:
        yield Moment(past.started_at, f"attempt {past.attempt} started")
        yield Moment(past.finished_at, f"attempt {past.attempt} ended: {past.outcome}")
    latest = max((past.attempt for past in attempts), default=0)
    if job.started_at and job.attempt > latest:
        yield Moment(job.started_at, f"attempt {job.attempt} started")
    if job.cancel_requested_at:
        yield Moment(job.cancel_requested_at, "cancellation requested")
    if job.finished_at:
        yield Moment(job.finished_at, job.state)
    elif job.state != "running":
        yield Moment(job.run_at, f"due ({job.state})")


log = structlog.get_logger(__name__)

EXPLANATIONS = {
    "done": "it finished before the cancellation",
    "dead": "it is already dead: retry or discard it",
    "cancelled": "it is already cancelled",
}


async def cancel(tx: Transaction, job_id: JobId, *, by: str) -> State:
    """Cancel a waiting job at once, or have the worker of a running one end it within 2 s.

    Of a cancel and the commit of `done`, the one that comes first wins.

    Returns:
        `cancelled`, or `running` when its end was asked for.

    Raises:
        NotFound: there is no such job.
        Conflict: it is finished, and how.
    """
    cancelled = await statements.cancel(tx, id=job_id, why="cancelled by an operator")
    if cancelled is None:
        row = await find_row(tx, job_id)
        why = EXPLANATIONS.get(row.state, f"it has just become {row.state}: try again")
        raise Conflict(f"The job cannot be cancelled: {why}.")
    if cancelled.state == "cancelled":
        await enqueue_on_failure(tx, cancelled.kind, cancelled.payload)
    log.info("operator.cancelled", job=str(job_id), state=cancelled.state, by=by)
    return cancelled.state


async def cancel_quietly(tx: Transaction, job_id: JobId, why: str) -> None:
    """Cancel a job that nobody needs any more. One that is finished or unknown is left as it is."""
    await statements.cancel(tx, id=job_id, why=why)
