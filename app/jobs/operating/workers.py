"""The workers, and what they run."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

import msgspec

from app.jobs.operating import statements
from app.jobs.operating.records import RunningJob, Worker
from app.postgres.query import Queryable


async def list_workers(db: Queryable) -> list[Worker]:
    """The workers that have not said goodbye, oldest first; one that was killed is not alive."""
    runs: dict[UUID, list[RunningJob]] = defaultdict(list)
    for row in await statements.running_jobs(db):
        runs[row.worker_id].append(RunningJob(row.id, row.kind, row.attempt, row.started_at))
    return [
        Worker(**msgspec.structs.asdict(row), runs=runs[row.id])
        for row in await statements.workers(db)
    ]
