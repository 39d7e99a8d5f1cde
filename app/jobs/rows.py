"""The rows that the statements in `sql/queries/jobs.sql` and `parking.sql` return."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from app.jobs.job import JobId, Queue


class ClaimedJob(msgspec.Struct, frozen=True):
    """A job that this worker has just claimed."""

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
    """Whether the job expired before it could start."""


class WaitingJob(msgspec.Struct, frozen=True):
    """A job that waits to be claimed. Once it is due, its id should be in Redis."""

    id: JobId
    queue: Queue
    run_at: datetime


class DueJob(WaitingJob, frozen=True):
    """A waiting job, and when it became due: at `run_at`, or later if it began to wait later."""

    kind: str
    due_at: datetime


class WokenJob(WaitingJob, frozen=True):
    """A job that was just woken or inserted, and whether it is due."""

    due: bool


class Block(msgspec.Struct, frozen=True):
    """What blocks the jobs of a kind: a pause of the kind, or the open breaker of a dependency."""

    kind: str
    blocked_on: str
    since: datetime
    dependency: str | None
    """The dependency, unless the kind is paused."""


class RelayState(msgspec.Struct, frozen=True):
    """Whether this worker runs the relay, and the relay's mark."""

    leads: bool
    vacant: bool
    """Whether no worker runs the relay."""
    mark: datetime
    compare_requested_at: datetime
    now: datetime


class ReturnedJob(msgspec.Struct, frozen=True):
    """A job that was reclaimed or released, and is now queued again, cancelled or dead."""

    id: JobId
    queue: Queue
    state: str
    kind: str
    payload: str
    run_at: datetime
    due: bool


class InsertedJob(msgspec.Struct, frozen=True):
    """A new job, and whether it is already due."""

    id: JobId
    run_at: datetime
    due: bool


class PauseRow(msgspec.Struct, frozen=True):
    """A paused queue or kind: `what` is `queue` or `kind`."""

    what: str
    name: str


class QueueStats(msgspec.Struct, frozen=True):
    """Counts of the jobs that share a queue, kind and `blocked_on`. Ages are in seconds."""

    queue: Queue
    kind: str
    blocked_on: str | None
    waiting: int
    """Jobs in state `queued`, `retrying` or `snoozed`."""
    due: int
    running: int
    dead: int
    oldest_age: float
    snoozed_age: float
    """The time since the oldest snoozed job was enqueued. Jobs of a paused kind do not count."""


class OwnedJob(msgspec.Struct, frozen=True):
    """A job that is running under this worker's id, and whether its cancellation was requested."""

    id: JobId
    token: UUID
    cancel_requested: bool
