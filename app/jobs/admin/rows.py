"""The queues, jobs, dead letters and workers that operators see."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from app.jobs.job import JobId, Queue
from app.jobs.pauses import blocked_on_kind

State = Literal["queued", "running", "retrying", "snoozed", "done", "dead", "cancelled"]


class QueueState(Struct, frozen=True):
    """The state of a queue. `waiting` jobs are due; `scheduled` ones are blocked or not due yet."""

    name: Queue
    waiting: int
    scheduled: int
    oldest_age_s: float | None
    """Seconds since the oldest waiting job became due."""
    running: int
    finished_per_minute: float
    """How many jobs became done or dead per minute, averaged over the last five minutes."""
    paused: bool
    paused_at: datetime | None
    weight: int


class KindState(Struct, frozen=True):
    """The state of a kind. `waiting` jobs are due; `scheduled` ones are blocked or not due yet."""

    name: str
    waiting: int
    scheduled: int
    running: int
    dead: int
    paused: bool
    paused_at: datetime | None


class BlockedJobs(Struct, frozen=True):
    """What blocks waiting jobs: an unavailable dependency, or `kind <name>` for a paused kind."""

    blocked_on: str
    jobs: int
    next_probe_at: datetime | None
    """When the next job is let through to try an unavailable dependency."""

    @property
    def is_pause(self) -> bool:
        """Whether the jobs wait for an operator to resume their kind, not for a dependency."""
        return self.blocked_on.startswith(blocked_on_kind(""))


class JobSummary(Struct, frozen=True):
    """A job in a list. `error` is the first 200 characters of its last error."""

    id: JobId
    kind: str
    queue: Queue
    state: State
    attempt: int
    failures: int
    user_id: UUID | None
    enqueued_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class JobAttempt(Struct, frozen=True):
    """One attempt at a job, and how it ended."""

    attempt: int
    worker_id: UUID | None
    started_at: datetime
    finished_at: datetime
    outcome: str
    error: str | None
    traceback: str | None


class TimelineEvent(Struct, frozen=True):
    """Something that happened to a job, or is due to happen."""

    at: datetime
    event: str


class JobFields(Struct, frozen=True):
    """The fields of a job that need no decoding."""

    id: JobId
    kind: str
    queue: Queue
    state: State
    attempt: int
    failures: int
    crashes: int
    user_id: UUID | None
    unique_key: str | None
    request_id: str | None
    """The request that caused the job."""
    trace_id: str | None
    """The trace of the request that caused the job."""
    enqueued_at: datetime
    run_at: datetime
    expires_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    blocked_on: str | None
    worker_id: UUID | None
    error: str | None
    note: str | None
    """Why a done job had nothing to do."""
    fingerprint: str | None


class JobDetail(JobFields, frozen=True):
    """A job with its finished attempts, except a successful first one.

    The job's own fields describe that one, and an attempt in progress.
    """

    payload: Any
    progress: Any
    """What the handler last reported in the latest attempt; null once the job is done."""
    attempts: list[JobAttempt]
    timeline: list[TimelineEvent]


class DeadLetterGroup(Struct, frozen=True):
    """The dead letters with the same fingerprint. The sample is the most recent of them."""

    fingerprint: str
    kind: str
    count: int
    first_seen: datetime
    last_seen: datetime
    sample_job_id: JobId
    error: str | None


class DeadLetterCounts(Struct, frozen=True):
    """How many dead letters there are, and how many groups they form by kind and error."""

    letters: int
    groups: int


class RetryResult(Struct, frozen=True):
    """How many jobs were retried, and how many were skipped as expired or superseded."""

    retried: int
    skipped: int


class DiscardResult(Struct, frozen=True):
    """The number of dead jobs that were discarded."""

    discarded: int


class RunningJob(Struct, frozen=True):
    """A job that a worker is running."""

    id: JobId
    kind: str
    attempt: int
    started_at: datetime


class Worker(Struct, frozen=True):
    """A worker process. It is alive if its last heartbeat is less than ten seconds old."""

    id: UUID
    host: str
    pid: int
    slots: int
    started_at: datetime
    last_heartbeat_at: datetime
    alive: bool
    running_jobs: list[RunningJob]
