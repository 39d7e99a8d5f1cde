"""Taking jobs back from workers, and enqueuing the jobs that follow a failed or cancelled one."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from app.jobs import statements
from app.jobs.enqueue import enqueue
from app.jobs.job import KINDS, JobId
from app.jobs.rows import ReturnedJob
from app.postgres.database import Database, Transaction


async def reclaim(database: Database) -> Sequence[ReturnedJob]:
    """Requeue the jobs of workers that have sent no heartbeat for ten seconds.

    A job whose cancellation was requested is cancelled instead. After ten crashes in a row, a job
    becomes a dead letter.

    Raises:
        Unavailable: Postgres is unavailable.
    """
    async with database.transaction() as tx:
        reclaimed = await statements.reclaim(tx)
        await _enqueue_on_failure_jobs(tx, reclaimed)
    return reclaimed


async def release(database: Database, job_id: JobId, token: UUID) -> None:
    """Requeue a job that was claimed under this token, without counting the attempt.

    A job whose cancellation was requested is cancelled instead.

    Raises:
        Unavailable: Postgres is unavailable.
    """
    async with database.transaction() as tx:
        await _enqueue_on_failure_jobs(tx, await statements.release(tx, ids=[job_id], token=token))


async def _enqueue_on_failure_jobs(tx: Transaction, jobs: Sequence[ReturnedJob]) -> None:
    for job in jobs:
        if job.state in {"dead", "cancelled"}:
            await enqueue_on_failure(tx, job.kind, job.payload)


async def enqueue_on_failure(tx: Transaction, kind: str, payload: str) -> None:
    """Enqueue a job's `on_failure` job, if any. Do nothing if the job cannot be decoded."""
    job_type = KINDS.get(kind)
    if job_type is None:
        return
    try:
        job = msgspec.json.decode(payload, type=job_type)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return
    if (follow_up := job.on_failure()) is not None:
        await enqueue(tx, follow_up)
