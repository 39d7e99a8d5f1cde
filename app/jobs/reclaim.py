"""When a job is lost with its worker, and when one is given up: what follows commits with it."""

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
    """Put back what workers ran that have not been seen for ten seconds.

    Raises:
        Unavailable: Postgres is away.
    """
    async with database.transaction() as tx:
        lost = await statements.reclaim(tx)
        await _follow(tx, lost)
    return lost


async def release(database: Database, job_id: JobId, token: UUID) -> None:
    """Put back a job that was claimed under this token and not run.

    Raises:
        Unavailable: Postgres is away.
    """
    async with database.transaction() as tx:
        await _follow(tx, await statements.release(tx, ids=[job_id], token=token))


async def _follow(tx: Transaction, left: Sequence[ReturnedJob]) -> None:
    for job in left:
        if job.state in {"dead", "cancelled"}:
            await enqueue_on_failure(tx, job.kind, job.payload)


async def enqueue_on_failure(tx: Transaction, kind: str, payload: str) -> None:
    """Enqueue what a job wants done when it is given up. One that cannot be read wants nothing."""
    job_type = KINDS.get(kind)
    if job_type is None:
        return
    try:
        job = msgspec.json.decode(payload, type=job_type)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return
    if (then := job.on_failure()) is not None:
        await enqueue(tx, then)
