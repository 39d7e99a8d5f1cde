"""Dead letters: grouped by kind and error, run again or discarded.

A re-run begins without failures and crashes, and keeps its attempts. The relay brings it to Redis
within a second.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import structlog

from app.errors import Conflict, NotFound
from app.jobs.admin import statements
from app.jobs.admin.jobs import find_row
from app.jobs.admin.rows import DeadCount, DeadLetters, Discarded, Rerun
from app.jobs.admin.statements import RerunBatch
from app.jobs.job import JobId
from app.postgres.database import Database, UniqueViolation
from app.postgres.statements import Queryable

log = structlog.get_logger(__name__)

BATCH = 5000
"""Jobs in one transaction, so that neither their locks nor their memory grow with a group."""
TRIES = 5


class Position(NamedTuple):
    """The last group of the page before."""

    last_seen: datetime | None = None
    fingerprint: str | None = None


async def page(db: Queryable, after: Position, limit: int) -> list[DeadLetters]:
    """At most `limit` groups, that with the latest death first."""
    return await statements.dead_letters(
        db,
        fingerprint=None,
        before=after.last_seen,
        before_fingerprint=after.fingerprint,
        limit=limit,
    )


async def find_group(db: Queryable, fingerprint: str) -> DeadLetters:
    """
    Raises:
        NotFound: there are no dead letters of this fingerprint, or no longer.
    """
    groups = await statements.dead_letters(
        db, fingerprint=fingerprint, before=None, before_fingerprint=None, limit=1
    )
    for group in groups:
        return group
    raise _no_such_group(fingerprint)


async def count(db: Queryable) -> DeadCount:
    """How many dead letters there are, and of how many kinds and errors."""
    return await statements.count_dead(db)


async def retry_job(database: Database, job_id: JobId, *, by: str) -> None:
    """Run one dead job again.

    Raises:
        NotFound: there is no such job.
        Conflict: it is not dead, has expired, or an unfinished job has its kind and unique key.
    """
    batch = await _rerun_batch(database, _Wanted(id=job_id), 1)
    if batch.last is None:
        row = await find_row(database, job_id)
        raise Conflict(f"Only a dead job can be retried, and this one is {row.state}.")
    if batch.expired:
        raise Conflict("The job has expired.")
    if batch.superseded:
        raise Conflict("An unfinished job with the same kind and unique key already exists.")
    log.info("operator.reran", job=str(job_id), by=by)


async def retry_group(
    database: Database, fingerprint: str, *, by: str, batch: int = BATCH
) -> Rerun:
    """Run the dead jobs of a fingerprint again, in batches that stand if a later one fails.

    Args:
        batch: the most jobs of one transaction.

    Raises:
        NotFound: there is none.
    """
    answer = await _rerun(database, _Wanted(fingerprint=fingerprint), batch)
    if answer == Rerun(0, 0):
        raise _no_such_group(fingerprint)
    log.info("operator.reran_group", fingerprint=fingerprint, rerun=answer.rerun, by=by)
    return answer


async def retry_all(database: Database, kind: str | None, *, by: str) -> Rerun:
    """Run all dead jobs again, or those of one kind, in batches that stand if a later one fails."""
    answer = await _rerun(database, _Wanted(kind=kind), BATCH)
    log.info("operator.reran_all", kind=kind, rerun=answer.rerun, by=by)
    return answer


async def discard_group(
    database: Database, fingerprint: str, *, by: str, batch: int = BATCH
) -> Discarded:
    """Cancel the dead jobs of a fingerprint, in batches; each keeps its error behind a note.

    Args:
        batch: the most jobs of one transaction.

    Raises:
        NotFound: there is none.
    """
    discarded = 0
    while count := await statements.discard(database, fingerprint=fingerprint, most=batch):
        discarded += count
    if not discarded:
        raise _no_such_group(fingerprint)
    log.info("operator.discarded_group", fingerprint=fingerprint, discarded=discarded, by=by)
    return Discarded(discarded)


class _Wanted(NamedTuple):
    """Which dead jobs; None means any."""

    id: JobId | None = None
    fingerprint: str | None = None
    kind: str | None = None


async def _rerun(database: Database, wanted: _Wanted, most: int) -> Rerun:
    rerun = skipped = 0
    batch = await _rerun_batch(database, wanted, most)
    while batch.last is not None:
        rerun += batch.rerun
        skipped += batch.expired + batch.superseded
        batch = await _rerun_batch(database, wanted, most, batch.last)
    return Rerun(rerun, skipped)


async def _rerun_batch(
    database: Database, wanted: _Wanted, most: int, before: JobId | None = None
) -> RerunBatch:
    for _ in range(TRIES):
        try:
            return await statements.rerun(
                database,
                id=wanted.id,
                fingerprint=wanted.fingerprint,
                kind=wanted.kind,
                before=before,
                most=most,
            )
        except UniqueViolation:
            # Since the statement began, a job of one of the unique keys was enqueued: the next
            # statement sees it.
            continue
    raise Conflict("Jobs with the same kinds and unique keys are being enqueued. Try again.")


def _no_such_group(fingerprint: str) -> NotFound:
    return NotFound(f"There are no dead letters with the fingerprint {fingerprint!r}.")
