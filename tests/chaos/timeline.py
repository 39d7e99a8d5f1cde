"""What was unavailable when, in seconds of `time.time()`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MAX_RESTART_S = 12.0
"""The target for the time until a killed worker's job starts again."""
GRACE_S = 10.0
"""Seconds after an outage of Postgres for which no worker counts as dead: see `reclaim`."""


@dataclass(slots=True)
class Outage:
    """A period in which no job can start."""

    what: str
    began: float
    ended: float = float("inf")
    grace_s: float = 0
    """Seconds after the end until dead workers are recognized."""
    kind: str | None = None
    """If set, only jobs of this kind cannot start."""


@dataclass(slots=True)
class Timeline:
    outages: list[Outage] = field(default_factory=list)
    _shifts: list[tuple[float, int]] = field(default_factory=list)
    """When Postgres's clock jumped, and the seconds by which it has been ahead since."""

    @contextmanager
    def outage(self, what: str, *, grace_s: float = 0, kind: str | None = None) -> Iterator[None]:
        """Record that no job can start while the block runs."""
        outage = Outage(what, time.time(), grace_s=grace_s, kind=kind)
        self.outages.append(outage)
        try:
            yield
        finally:
            outage.ended = time.time()

    def clock_jumped(self, shift: int) -> None:
        """Record that Postgres's clock is now ahead by this many seconds.

        A jump forward looks like an outage. After a jump back, what had just become due, and the
        last heartbeats, lie in the future.
        """
        before = self._shifts[-1][1] if self._shifts else 0
        now = time.time()
        self._shifts.append((now, shift))
        ended = now + max(0, before - shift)
        self.outages.append(Outage("Postgres's clock", now, ended, GRACE_S))

    def real_time(self, postgres_time: float) -> float:
        """Return when Postgres's clock showed this time."""
        for since, shift in reversed(self._shifts):
            if postgres_time - shift >= since:
                return postgres_time - shift
        return postgres_time

    def restart_seconds(self, lost_at: float, started_at: float, kind: str) -> float:
        """Return the time until a job started again, from when nothing prevented it any more.

        An outage that began when the job should already have started does not count.
        """
        since = lost_at
        for outage in self.outages:
            if outage.kind in {None, kind} and outage.began < since + MAX_RESTART_S:
                since = max(since, outage.ended + outage.grace_s)
        return max(0.0, started_at - since)

    def disturbed(self, at: float) -> bool:
        """Tell whether there was an outage at this time."""
        return any(outage.began <= at <= outage.ended for outage in self.outages)
