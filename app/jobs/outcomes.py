"""What a handler raises if its job is not done. If the handler returns, the job is done."""

from __future__ import annotations

from datetime import timedelta


class NotDone(Exception):
    """The attempt ended without finishing the job."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(NotDone):
    """The attempt failed, but another may succeed. This counts as a failure.

    `delay` replaces the backoff.
    """

    def __init__(self, reason: str, *, delay: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class Snooze(NotDone):
    """The job should run again later. This does not count as a failure.

    Raise it for rate limits and for work that another job is doing. For an outage, raise
    `errors.Unavailable` instead.
    """

    def __init__(self, reason: str, *, delay: timedelta) -> None:
        super().__init__(reason)
        self.delay = delay


class Dead(NotDone):
    """No attempt can succeed. The job becomes a dead letter at once."""


class LeaseLost(Exception):
    """The attempt has lost its job and can commit nothing more."""
