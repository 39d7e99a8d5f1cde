"""Queues, jobs, dead letters and workers, as operators see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from app.jobs.job import JobId, Queue
from app.jobs.pauses import blocked_on_kind

State = Literal["queued", "running", "retrying", "snoozed", "done", "dead", "cancelled"]


class QueueState(Struct, frozen=True):
    """A queue. `size` is what is due and waits, `scheduled` what is not due yet."""

    name: Queue
    size: int
    scheduled: int
    oldest_age_s: float | None
    """Since when the oldest of `size` has been due."""
    running: int
    finished_per_minute: float
    """Done or dead, over the last five minutes."""
    paused: bool
    paused_at: datetime | None
    weight: int


class KindState(Struct, frozen=True):
    """A kind of job. `waiting` are due, `scheduled` are not yet."""

    name: str
    waiting: int
    scheduled: int
    running: int
    dead: int
    paused: bool
    paused_at: datetime | None


class Outage(Struct, frozen=True):
    """What snoozed jobs wait for: a dependency that is away, or `kind <name>` of a paused kind."""

    blocked_on: str
    jobs: int
    next_try_at: datetime

    @property
    def of_a_pause(self) -> bool:
        """Whether an operator ends it, and no dependency's return."""
        return self.blocked_on.startswith(blocked_on_kind(""))


class JobSummary(Struct, frozen=True):
    """A job in a list. `error` is the beginning of its last error."""

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


class Attempt(Struct, frozen=True):
    """One attempt at a job, and how it ended."""

    attempt: int
    worker_id: UUID | None
    started_at: datetime
    finished_at: datetime
    outcome: str
    error: str | None
    traceback: str | None


class Moment(Struct, frozen=True):
    """Something that happened to a job, or is going to."""

    at: datetime
    what: str


class JobFacts(Struct, frozen=True):
    """What is known of a job, whichever way its payload is read."""

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
    """The request that caused it."""
    trace_id: str | None
    """The trace that the request was part of."""
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
    """Why a job that is done had nothing to do."""
    fingerprint: str | None


class JobDetail(JobFacts, frozen=True):
    """A job with its attempts, but for a first one that succeeded: the job itself tells of that."""

    payload: Any
    progress: Any
    """What its handler last reported, while it runs."""
    attempts: list[Attempt]
    timeline: list[Moment]


class DeadLetters(Struct, frozen=True):
    """Dead jobs of one kind and one error; the sample is the latest of them."""

    fingerprint: str
    kind: str
    count: int
    first_seen: datetime
    last_seen: datetime
    sample_job_id: JobId
    error: str | None


class DeadCount(Struct, frozen=True):
    """How many dead letters there are, and of how many kinds and errors."""

    letters: int
    groups: int


class Rerun(Struct, frozen=True):
    """How many dead jobs run again. Skipped are those that are no longer useful or superseded."""

    rerun: int
    skipped: int


class Discarded(Struct, frozen=True):
    """How many dead jobs were cancelled."""

    discarded: int


class RunningJob(Struct, frozen=True):
    """A job that a worker runs."""

    id: JobId
    kind: str
    attempt: int
    started_at: datetime


class Worker(Struct, frozen=True):
    """A worker process. It is alive when it was seen in the last ten seconds."""

    id: UUID
    host: str
    pid: int
    slots: int
    started_at: datetime
    seen_at: datetime
    alive: bool
    runs: list[RunningJob]
