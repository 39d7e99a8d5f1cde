"""Signatures for the statements in `operating.sql`, `queues.sql` and `dead_letters.sql`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from app.jobs.admin.rows import (
    BlockedJobs,
    DeadLetterCounts,
    DeadLetterGroup,
    JobAttempt,
    JobFields,
    JobSummary,
    KindState,
    QueueState,
    State,
)
from app.jobs.job import JobId, Queue
from app.postgres.statements import Queryable, statement


class JobRow(JobFields, frozen=True):
    """A job whose payload and progress are still JSON text."""

    payload: str
    progress: str | None


class CancelledJob(Struct, frozen=True):
    state: State
    kind: str
    payload: str


class RetryBatch(Struct, frozen=True):
    retried: int
    expired: int
    superseded: int
    """Jobs left dead because an unfinished or newer dead job has their kind and unique key."""
    last_id: JobId | None
    """The last job in the batch; None if no jobs were left."""


class WorkerRow(Struct, frozen=True):
    id: UUID
    host: str
    pid: int
    slots: int
    started_at: datetime
    last_heartbeat_at: datetime
    alive: bool


class RunningJobRow(Struct, frozen=True):
    worker_id: UUID
    id: JobId
    kind: str
    attempt: int
    started_at: datetime


@statement("queues")
async def queues(db: Queryable, *, names: list[str], weights: list[int]) -> list[QueueState]: ...


@statement("queues")
async def kinds(db: Queryable, *, names: list[str]) -> list[KindState]: ...


@statement("queues")
async def blocked_jobs(db: Queryable) -> list[BlockedJobs]: ...


@statement("queues")
async def kind_exists(db: Queryable, *, name: str) -> bool: ...


@statement("queues")
async def pause(db: Queryable, *, what: Literal["queue", "kind"], name: str) -> None: ...


@statement("queues")
async def resume(db: Queryable, *, what: Literal["queue", "kind"], name: str) -> None: ...


@statement("operating")
async def jobs_before(
    db: Queryable,
    *,
    state: State | None,
    kind: str | None,
    queue: Queue | None,
    user_id: UUID | None,
    fingerprint: str | None,
    search: str | None,
    before: JobId | None,
    limit: int,
) -> list[JobSummary]: ...


@statement("operating")
async def job(db: Queryable, *, id: JobId) -> JobRow | None: ...


@statement("operating")
async def attempts(db: Queryable, *, job_id: JobId) -> list[JobAttempt]: ...


@statement("operating")
async def cancel(db: Queryable, *, id: JobId, why: str) -> CancelledJob | None: ...


@statement("operating")
async def workers(db: Queryable) -> list[WorkerRow]: ...


@statement("operating")
async def running_jobs(db: Queryable) -> list[RunningJobRow]: ...


@statement("dead_letters")
async def dead_letter_groups(
    db: Queryable,
    *,
    fingerprint: str | None,
    before: datetime | None,
    before_fingerprint: str | None,
    limit: int,
) -> list[DeadLetterGroup]: ...


@statement("dead_letters")
async def count_dead_letters(db: Queryable) -> DeadLetterCounts: ...


@statement("dead_letters")
async def retry_dead(
    db: Queryable,
    *,
    id: JobId | None,
    fingerprint: str | None,
    kind: str | None,
    before: JobId | None,
    limit: int,
) -> RetryBatch: ...


@statement("dead_letters")
async def discard_group(db: Queryable, *, fingerprint: str, limit: int) -> int: ...
