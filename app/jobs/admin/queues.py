"""The queues and the kinds: how full they are, and stopping and continuing them.

Workers read what is paused once a second. The jobs of a paused queue stay where they are, also in
Redis; those of a paused kind are put off when their turn comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

import msgspec
import structlog

from app.errors import NotFound
from app.jobs.admin import statements
from app.jobs.admin.rows import KindState, Outage, QueueState, RunningJob, Worker
from app.jobs.job import KINDS
from app.jobs.pauses import blocked_on_kind
from app.jobs.redis_queue import QUEUES
from app.jobs.statements import pauses, wake_blocked
from app.postgres.database import Transaction
from app.postgres.statements import Queryable

log = structlog.get_logger(__name__)


async def list_queues(db: Queryable, weights: Mapping[str, int]) -> list[QueueState]:
    """Every queue, the weightiest usually first."""
    return await statements.queues(
        db, names=list(QUEUES), weights=[weights[queue] for queue in QUEUES]
    )


async def list_kinds(db: Queryable) -> list[KindState]:
    """The kinds that this process knows, and those that are paused, unfinished or dead."""
    return await statements.kinds(db, names=list(KINDS))


async def list_outages(db: Queryable) -> list[Outage]:
    """What snoozed jobs wait for, paused kinds among it."""
    return await statements.outages(db)


async def paused_kinds(db: Queryable) -> list[str]:
    """By name."""
    return sorted(pause.name for pause in await pauses(db) if pause.what == "kind")


async def find_queue(db: Queryable, name: str, weights: Mapping[str, int]) -> QueueState:
    """
    Raises:
        NotFound: there is no such queue.
    """
    _check_queue(name)
    return next(queue for queue in await list_queues(db, weights) if queue.name == name)


async def find_kind(db: Queryable, name: str) -> KindState:
    """A kind by its name, which is not checked: one that nobody knows has no jobs."""
    return next(kind for kind in await statements.kinds(db, names=[name]) if kind.name == name)


async def pause_queue(tx: Transaction, name: str, *, by: str) -> None:
    """Have no worker claim from a queue. One that is paused stays so.

    Raises:
        NotFound: there is no such queue.
    """
    _check_queue(name)
    await statements.pause(tx, what="queue", name=name)
    log.info("operator.paused_queue", queue=name, by=by)


async def resume_queue(tx: Transaction, name: str, *, by: str) -> None:
    """Have the workers claim from a queue again. One that is not paused stays so.

    Raises:
        NotFound: there is no such queue.
    """
    _check_queue(name)
    await statements.resume(tx, what="queue", name=name)
    log.info("operator.resumed_queue", queue=name, by=by)


async def pause_kind(tx: Transaction, name: str, *, by: str) -> None:
    """Have no job of a kind started. One that is paused stays so.

    Raises:
        NotFound: no such kind is known, and there never was a job of it.
    """
    await _check_kind(tx, name)
    await statements.pause(tx, what="kind", name=name)
    log.info("operator.paused_kind", kind=name, by=by)


async def resume_kind(tx: Transaction, name: str, *, by: str) -> None:
    """Have the jobs of a kind started again; those that were put off are due now.

    Raises:
        NotFound: no such kind is known, and there never was a job of it.
    """
    await _check_kind(tx, name)
    await statements.resume(tx, what="kind", name=name)
    await wake_blocked(tx, blocked_on=blocked_on_kind(name))
    log.info("operator.resumed_kind", kind=name, by=by)


def _check_queue(name: str) -> None:
    if name not in QUEUES:
        raise NotFound(f"There is no queue {name!r}: the queues are {', '.join(QUEUES)}.")


async def _check_kind(db: Queryable, name: str) -> None:
    if name in KINDS or await statements.kind_was_seen(db, name=name):
        return
    known = [kind.name for kind in await list_kinds(db)]
    raise NotFound(f"There is no kind {name!r}: the kinds are {', '.join(known) or 'none yet'}.")


async def list_workers(db: Queryable) -> list[Worker]:
    """The workers that have not said goodbye, oldest first; one that was killed is not alive."""
    runs: dict[UUID, list[RunningJob]] = defaultdict(list)
    for row in await statements.running_jobs(db):
        runs[row.worker_id].append(RunningJob(row.id, row.kind, row.attempt, row.started_at))
    return [
        Worker(**msgspec.structs.asdict(row), runs=runs[row.id])
        for row in await statements.workers(db)
    ]
