"""Queues, kinds and workers for operators: their state, and pausing queues and kinds.

Workers read the pauses once a second. Jobs in a paused queue keep their state and stay in Redis.
A worker parks the jobs of a paused kind within seconds
(worker/parking.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

import msgspec
import structlog

from app.errors import NotFound
from app.jobs.admin import statements
from app.jobs.admin.rows import BlockedJobs, KindState, QueueState, RunningJob, Worker
from app.jobs.job import KINDS
from app.jobs.redis_queue import QUEUES
from app.jobs.statements import pauses
from app.postgres.database import Transaction
from app.postgres.statements import Queryable

log = structlog.get_logger(__name__)


async def list_queues(db: Queryable, weights: Mapping[str, int]) -> list[QueueState]:
    """List the queues, in the order `critical`, `default`, `low`."""
    return await statements.queues(
        db, names=list(QUEUES), weights=[weights[queue] for queue in QUEUES]
    )


async def list_kinds(db: Queryable) -> list[KindState]:
    """List the kinds known here, and any others that are paused or have unfinished or dead jobs."""
    return await statements.kinds(db, names=list(KINDS))


async def list_blocked_jobs(db: Queryable) -> list[BlockedJobs]:
    """List what blocks waiting jobs: dependencies and paused kinds."""
    return await statements.blocked_jobs(db)


async def paused_kinds(db: Queryable) -> list[str]:
    """List the names of the paused kinds, sorted."""
    return sorted(pause.name for pause in await pauses(db) if pause.what == "kind")


async def find_queue(db: Queryable, name: str, weights: Mapping[str, int]) -> QueueState:
    """Return the state of a queue.

    Raises:
        NotFound: there is no such queue.
    """
    _check_queue(name)
    return next(queue for queue in await list_queues(db, weights) if queue.name == name)


async def find_kind(db: Queryable, name: str) -> KindState:
    """Return the state of a kind. The name is not checked: an unknown kind simply has no jobs."""
    return next(kind for kind in await statements.kinds(db, names=[name]) if kind.name == name)


async def pause_queue(tx: Transaction, name: str, *, by: str) -> None:
    """Stop workers from claiming jobs from a queue. Repeating this changes nothing.

    Raises:
        NotFound: there is no such queue.
    """
    _check_queue(name)
    await statements.pause(tx, what="queue", name=name)
    log.info("operator.paused_queue", queue=name, by=by)


async def resume_queue(tx: Transaction, name: str, *, by: str) -> None:
    """Let workers claim jobs from a queue again. Repeating this changes nothing.

    Raises:
        NotFound: there is no such queue.
    """
    _check_queue(name)
    await statements.resume(tx, what="queue", name=name)
    log.info("operator.resumed_queue", queue=name, by=by)


async def pause_kind(tx: Transaction, name: str, *, by: str) -> None:
    """Stop workers from starting jobs of a kind. Repeating this changes nothing.

    Raises:
        NotFound: the kind is unknown to this process, has no jobs and is not paused.
    """
    await _check_kind(tx, name)
    await statements.pause(tx, what="kind", name=name)
    log.info("operator.paused_kind", kind=name, by=by)


async def resume_kind(tx: Transaction, name: str, *, by: str) -> None:
    """Let workers start jobs of a kind again. A worker wakes the blocked jobs.

    Raises:
        NotFound: the kind is unknown to this process, has no jobs and is not paused.
    """
    await _check_kind(tx, name)
    await statements.resume(tx, what="kind", name=name)
    log.info("operator.resumed_kind", kind=name, by=by)


def _check_queue(name: str) -> None:
    if name not in QUEUES:
        raise NotFound(f"There is no queue {name!r}: the queues are {', '.join(QUEUES)}.")


async def _check_kind(db: Queryable, name: str) -> None:
    if name in KINDS or await statements.kind_exists(db, name=name):
        return
    names = [kind.name for kind in await list_kinds(db)]
    raise NotFound(f"There is no kind {name!r}: the kinds are {', '.join(names)}.")


async def list_workers(db: Queryable) -> list[Worker]:
    """List the workers that have not shut down, including lost ones, oldest first."""
    running: dict[UUID, list[RunningJob]] = defaultdict(list)
    for row in await statements.running_jobs(db):
        running[row.worker_id].append(RunningJob(row.id, row.kind, row.attempt, row.started_at))
    return [
        Worker(**msgspec.structs.asdict(row), running_jobs=running[row.id])
        for row in await statements.workers(db)
    ]
