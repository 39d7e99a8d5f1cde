"""Job types: frozen structs with a stable kind, and the rules for running them."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal, NewType
from uuid import UUID

import msgspec

JobId = NewType("JobId", UUID)
Queue = Literal["critical", "default", "low"]

KINDS: dict[str, type[Job]] = {}
"""All imported job types by kind."""


class Job(msgspec.Struct, frozen=True):
    """A unit of background work. It holds ids and dates; names and addresses are read when it runs.

        class SendWelcomeEmail(Job, frozen=True):
            kind = "email:welcome"
            queue = "critical"
            user_id: UserId

    New fields need defaults, because workers of a new version read rows that the previous version
    wrote. A kind is never renamed, because stored jobs contain it.
    """

    kind: ClassVar[str]
    queue: ClassVar[Queue] = "default"
    """A job with a timeout of more than five minutes belongs in `low`, which leaves slots free."""
    timeout: ClassVar[timedelta] = timedelta(minutes=5)
    retries: ClassVar[int] = 3
    """How many failures are followed by a retry."""
    backoff: ClassVar[timedelta] = timedelta(seconds=2)
    """The longest wait before the first retry. It doubles with each failure, up to an hour."""
    expires_in: ClassVar[timedelta | None] = None
    """How long after becoming due a job may still start. None means forever."""

    @classmethod
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" not in vars(cls):
            return  # a base class for job types
        if cls.kind in KINDS:
            raise TypeError(f"two job types of kind {cls.kind}: {KINDS[cls.kind]} and {cls}")
        KINDS[cls.kind] = cls

    @property
    def unique_key(self) -> str | None:
        """While there is an unfinished job with this kind and key, no second one is enqueued."""
        return None

    def on_failure(self) -> Job | None:
        """Return the job to enqueue if this one fails for good, is cancelled or expires.

        It is enqueued in the transaction that ends this job. `cancel_quietly` does not enqueue it
        if this job is waiting.
        """
        return None
