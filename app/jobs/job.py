"""A job is a type: a frozen struct of ids with a stable kind and the rules by which it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal, NewType
from uuid import UUID

import msgspec

JobId = NewType("JobId", UUID)
Queue = Literal["critical", "default", "low"]

KINDS: dict[str, type[Job]] = {}
"""Every job type that has been imported, by its kind."""


class Job(msgspec.Struct, frozen=True):
    """What is to be done, as ids only: names and addresses are read when the job runs.

        class WelcomeEmail(Job, frozen=True):
            kind = "email:welcome"
            queue = "critical"
            user_id: UserId

    A payload may gain fields that have defaults: a worker of the next version reads the rows of the
    last one. A kind is never renamed while rows of it exist.
    """

    kind: ClassVar[str]
    queue: ClassVar[Queue] = "default"
    timeout: ClassVar[timedelta] = timedelta(minutes=5)
    retries: ClassVar[int] = 3
    """Attempts after the first that failed."""
    backoff: ClassVar[timedelta] = timedelta(seconds=2)
    """The wait before the first retry; it doubles for each that follows."""
    expires_in: ClassVar[timedelta | None] = None
    """How long after it became due the job is still worth doing; None: always."""

    @classmethod
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" not in vars(cls):
            return  # a base of job types
        if cls.kind in KINDS:
            raise TypeError(f"two job types of kind {cls.kind}: {KINDS[cls.kind]} and {cls}")
        KINDS[cls.kind] = cls

    @property
    def unique_key(self) -> str | None:
        """The unique key: while such a job of this kind is unfinished, no second one is made."""
        return None

    def on_failure(self) -> Job | None:
        """What is enqueued by the transaction that makes this job a dead letter, cancels it, or
        ends it because it came too late; not by one that withdraws it while it waits."""
        return None
