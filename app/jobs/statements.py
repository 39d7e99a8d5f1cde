"""Signatures for the statements in `sql/queries/jobs.sql`."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from app.jobs.job import JobId, Queue
from app.jobs.rows import (
    Block,
    ClaimedJob,
    DueJob,
    InsertedJob,
    OwnedJob,
    PauseRow,
    QueueStats,
    RelayState,
    ReturnedJob,
    WaitingJob,
    WokenJob,
)
from app.postgres.statements import Queryable, statement


@statement("jobs")
async def insert_job(
    db: Queryable,
    *,
    kind: str,
    queue: Queue,
    payload: str,
    unique_key: str | None,
    user_id: UUID | None,
    request_id: str | None,
    traceparent: str | None,
    run_at: datetime | None,
    expires_in: timedelta | None,
) -> InsertedJob | None: ...


@statement("jobs")
async def claim(
    db: Queryable, *, ids: list[JobId], worker_id: UUID, token: UUID
) -> list[ClaimedJob]: ...


@statement("jobs")
async def still_waiting(db: Queryable, *, ids: list[JobId]) -> list[WaitingJob]: ...


@statement("jobs")
async def lock_job(db: Queryable, *, id: JobId, token: UUID) -> bool | None: ...


@statement("jobs")
async def finish(db: Queryable, *, id: JobId, token: UUID, note: str | None) -> bool | None: ...


@statement("jobs")
async def has_work(db: Queryable, *, worker_id: UUID) -> bool: ...


@statement("jobs")
async def finish_many(db: Queryable, *, ids: list[JobId], tokens: list[UUID]) -> list[JobId]: ...


@statement("jobs")
async def reschedule(
    db: Queryable,
    *,
    id: JobId,
    token: UUID,
    state: str,
    delay: timedelta,
    failed: bool,
    untried: bool,
    blocked_on: str | None,
    error: str,
) -> str | None: ...


@statement("jobs")
async def fail_or_cancel(
    db: Queryable,
    *,
    id: JobId,
    token: UUID,
    state: str,
    failed: bool,
    error: str,
    fingerprint: str | None,
) -> bool | None: ...


@statement("jobs")
async def insert_attempt(
    db: Queryable,
    *,
    job_id: JobId,
    attempt: int,
    worker_id: UUID,
    started_at: datetime,
    outcome: str,
    error: str | None,
    traceback: str | None,
) -> None: ...


@statement("jobs")
async def report_progress(
    db: Queryable, *, id: JobId, token: UUID, progress: str
) -> bool | None: ...


@statement("jobs")
async def save_position(
    db: Queryable, *, id: JobId, token: UUID, position: str, progress: str
) -> bool | None: ...


@statement("jobs")
async def relay_state(db: Queryable, *, worker_id: UUID) -> RelayState: ...


@statement("jobs")
async def take_relay(db: Queryable, *, worker_id: UUID) -> bool | None: ...


@statement("jobs")
async def move_mark(db: Queryable, *, worker_id: UUID, mark: datetime) -> None: ...


@statement("jobs")
async def request_comparison(db: Queryable) -> None: ...


@statement("jobs")
async def due_jobs(
    db: Queryable, *, queue: Queue, after: datetime, after_id: JobId, until: datetime, limit: int
) -> list[DueJob]: ...


@statement("jobs")
async def count_due_jobs(db: Queryable, *, queue: Queue, limit: int) -> int: ...


@statement("jobs")
async def heartbeat(db: Queryable, *, id: UUID, host: str, pid: int, slots: int) -> None: ...


@statement("jobs")
async def remove_worker(db: Queryable, *, id: UUID) -> None: ...


@statement("jobs")
async def running_on_worker(db: Queryable, *, worker_id: UUID) -> list[OwnedJob]: ...


@statement("jobs")
async def running_by_id(db: Queryable, *, ids: list[JobId], worker_id: UUID) -> list[OwnedJob]: ...


@statement("jobs")
async def reclaim(db: Queryable) -> list[ReturnedJob]: ...


@statement("jobs")
async def dead_workers(db: Queryable) -> list[UUID]: ...


@statement("jobs")
async def remove_dead_worker(db: Queryable, *, id: UUID) -> None: ...


@statement("jobs")
async def worker_ids(db: Queryable) -> list[UUID]: ...


@statement("jobs")
async def add_missing_workers(db: Queryable) -> None: ...


@statement("jobs")
async def release(db: Queryable, *, ids: list[JobId], token: UUID) -> list[ReturnedJob]: ...


@statement("jobs")
async def pauses(db: Queryable) -> list[PauseRow]: ...


@statement("parking")
async def blocked_kinds(db: Queryable) -> list[Block]: ...


@statement("parking")
async def blocking(db: Queryable, *, kind: str, job_id: JobId) -> str | None: ...


@statement("parking")
async def park(db: Queryable, *, ids: list[JobId], blocked_on: str) -> list[JobId]: ...


@statement("parking")
async def unblocked(db: Queryable) -> list[str]: ...


@statement("parking")
async def wake(db: Queryable, *, blocked_on: str) -> list[WokenJob]: ...


@statement("parking")
async def next_probes(db: Queryable) -> list[WaitingJob]: ...


@statement("parking")
async def report_outage(
    db: Queryable, *, dependency: str, worker_id: UUID, kind: str, job_id: JobId
) -> bool | None: ...


@statement("parking")
async def report_answers(db: Queryable, *, worker_id: UUID, dependencies: list[str]) -> None: ...


@statement("parking")
async def close_breaker(
    db: Queryable, *, dependency: str, answered_at: datetime
) -> bool | None: ...


@statement("parking")
async def end_probe(db: Queryable, *, job_id: JobId) -> None: ...


@statement("jobs")
async def queue_stats(db: Queryable) -> list[QueueStats]: ...


@statement("jobs")
async def insert_jobs(
    db: Queryable,
    *,
    kinds: list[str],
    queues: list[Queue],
    payloads: list[str],
    unique_keys: list[str | None],
    user_ids: list[UUID | None],
    expires_in: list[timedelta | None],
    request_id: str | None,
    traceparent: str | None,
    run_at: datetime | None,
) -> list[WokenJob]: ...
