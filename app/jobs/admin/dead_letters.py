"""Dead letters for operators: list them by kind and error, and retry or discard them.

A retry resets a job's failures and crashes but keeps its attempts. The relay dispatches the job
within a second.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import structlog

from app.errors import Conflict, NotFound
from app.jobs.admin import statements
from app.jobs.admin.jobs import find_row
from app.jobs.admin.rows import DeadLetterCounts, DeadLetterGroup, DiscardResult, RetryResult
from app.jobs.admin.statements import RetryBatch
from app.jobs.job import JobId
from app.postgres.database import Database, UniqueViolation
from app.postgres.statements import Queryable

log = structlog.get_logger(__name__)

BATCH = 5000
"""The most jobs in one transaction: its locks and memory must not grow with the group."""
MAX_TRIES = 5
"""How many times to try a batch while jobs with the same unique keys are being enqueued."""


class DeadLetterCursor(NamedTuple):
    """The last group on the previous page."""

    last_seen: datetime | None = None
    fingerprint: str | None = None


async def list_groups(db: Queryable, after: DeadLetterCursor, limit: int) -> list[DeadLetterGroup]:
    """List at most `limit` groups, the one with the most recent dead letter first."""
    return await statements.dead_letter_groups(
        db,
        fingerprint=None,
        before=after.last_seen,
        before_fingerprint=after.fingerprint,
        limit=limit,
    )


async def find_group(db: Queryable, fingerprint: str) -> DeadLetterGroup:
    """Return the group of dead letters with this fingerprint.

    Raises:
        NotFound: no dead letter has this fingerprint.
    """
    groups = await statements.dead_letter_groups(
        db, fingerprint=fingerprint, before=None, before_fingerprint=None, limit=1
    )
    for group in groups:
        return group
    raise _no_such_group(fingerprint)


async def count_dead_letters(db: Queryable) -> DeadLetterCounts:
    """Count the dead letters and the groups that they form."""
    return await statements.count_dead_letters(db)


async def retry_job(database: Database, job_id: JobId, *, by: str) -> None:
    """Retry one dead job.

    Raises:
        NotFound: there is no such job.
        Conflict: the job is not dead or has expired, or an unfinished job has its kind and unique
            key.
    """
    batch = await _retry_batch(database, _Selection(id=job_id), 1)
    if batch.last_id is None:
        row = await find_row(database, job_id)
        raise Conflict(f"Only a dead job can be retried, and this one is {row.state}.")
    if batch.expired:
        raise Conflict("The job has expired.")
    if batch.superseded:
        raise Conflict("An unfinished job with the same kind and unique key already exists.")
    log.info("operator.retried_job", job=str(job_id), by=by)


async def retry_group(
    database: Database, fingerprint: str, *, by: str, batch: int = BATCH
) -> RetryResult:
    """Retry the dead jobs with this fingerprint, in batches.

    If a batch fails, the earlier ones stay committed.

    Args:
        batch: the maximum number of jobs in one transaction.

    Raises:
        NotFound: no dead letter has this fingerprint.
        Conflict: jobs with the same kinds and unique keys are being enqueued.
    """
    result = await _retry(database, _Selection(fingerprint=fingerprint), batch)
    if result == RetryResult(0, 0):
        raise _no_such_group(fingerprint)
    log.info("operator.retried_group", fingerprint=fingerprint, retried=result.retried, by=by)
    return result


async def retry_all(database: Database, kind: str | None, *, by: str) -> RetryResult:
    """Retry all dead jobs, or those of one kind, in batches.

    If a batch fails, the earlier ones stay committed.

    Raises:
        Conflict: jobs with the same kinds and unique keys are being enqueued.
    """
    result = await _retry(database, _Selection(kind=kind), BATCH)
    log.info("operator.retried_all", kind=kind, retried=result.retried, by=by)
    return result


async def discard_group(
    database: Database, fingerprint: str, *, by: str, batch: int = BATCH
) -> DiscardResult:
    """Discard the dead jobs with this fingerprint, in batches.

    Each keeps its error, prefixed with a note that it was discarded.

    Args:
        batch: the maximum number of jobs in one transaction.

    Raises:
        NotFound: no dead letter has this fingerprint.
    """
    discarded = 0
    while count := await statements.discard_group(database, fingerprint=fingerprint, limit=batch):
        discarded += count
    if not discarded:
        raise _no_such_group(fingerprint)
    log.info("operator.discarded_group", fingerprint=fingerprint, discarded=discarded, by=by)
    return DiscardResult(discarded)


class _Selection(NamedTuple):
    """Which dead jobs to retry; None means any."""

    id: JobId | None = None
    fingerprint: str | None = None
    kind: str | None = None


async def _retry(database: Database, selection: _Selection, limit: int) -> RetryResult:
    retried = skipped = 0
    batch = await _retry_batch(database, selection, limit)
    while batch.last_id is not None:
        retried += batch.retried
        skipped += batch.expired + batch.superseded
        batch = await _retry_batch(database, selection, limit, batch.last_id)
    return RetryResult(retried, skipped)


async def _retry_batch(
    database: Database, selection: _Selection, limit: int, before: JobId | None = None
) -> RetryBatch:
    for _ in range(MAX_TRIES):
        try:
            return await statements.retry_dead(
                database,
                id=selection.id,
                fingerprint=selection.fingerprint,
                kind=selection.kind,
                before=before,
                limit=limit,
            )
        except UniqueViolation:
            # A job with one of the unique keys was enqueued after the statement began. The next
            # try will see that job.
            continue
    raise Conflict("Jobs with the same kinds and unique keys are being enqueued. Try again.")


def _no_such_group(fingerprint: str) -> NotFound:
    return NotFound(f"There are no dead letters with the fingerprint {fingerprint!r}.")
