"""How a handler says that its job is not done. Returning says that it is."""

from __future__ import annotations

from datetime import timedelta


class NotDone(Exception):
    """The end of an attempt, other than success."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(NotDone):
    """The attempt failed and another may succeed; it counts. `after` replaces the backoff."""

    def __init__(self, reason: str, *, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Snooze(NotDone):
    """Not now: the slot is given up and nothing is counted against the job.

    Raised for a rate limit or another's claim. An outage is raised as `errors.Unavailable`.
    """

    def __init__(self, reason: str, *, delay: timedelta) -> None:
        super().__init__(reason)
        self.delay = delay


class Dead(NotDone):
    """No attempt can succeed: a dead letter at once."""


class LeaseLost(Exception):
    """The job is another worker's now. Whatever this attempt has not committed is void."""


class Cancelled(Exception):
    """Someone asked for the job to be cancelled."""
