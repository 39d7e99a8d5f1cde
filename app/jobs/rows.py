"""The rows of jobs and attempts, as they are read."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from app.jobs.job import JobId, Queue


class ClaimedJob(msgspec.Struct, frozen=True):
    """A job that this worker has just taken."""

    id: JobId
    kind: str
    queue: Queue
    payload: str
    position: str | None
    attempt: int
    failures: int
    crashes: int
    token: UUID
    user_id: UUID | None
    request_id: str | None
    traceparent: str | None
    run_at: datetime
    started_at: datetime
    expired: bool
    """Its usefulness ended before it could start."""


class DueJob(msgspec.Struct, frozen=True):
    """A job that is due and belongs in Redis."""

    id: JobId
    queue: Queue
    attempt: int


class ReturnedJob(msgspec.Struct, frozen=True):
    """A job whose worker was lost: it waits again, or has ended."""

    id: JobId
    queue: Queue
    attempt: int
    state: str
    kind: str
    payload: str


class InsertedJob(msgspec.Struct, frozen=True):
    id: JobId
    due: bool


class PauseRow(msgspec.Struct, frozen=True):
    """A queue or a kind that an operator has stopped."""

    what: str
    name: str


class QueueStats(msgspec.Struct, frozen=True):
    """The jobs of one queue and kind that wait for one thing, or none. Ages are in seconds."""

    queue: Queue
    kind: str
    blocked_on: str | None
    unfinished: int
    """Without those that run."""
    due: int
    running: int
    dead: int
    oldest_age: float
    outbox_lag: float


class OwnedJob(msgspec.Struct, frozen=True):
    """A job that runs in a worker's name."""

    id: JobId
    token: UUID
    cancelled: bool
