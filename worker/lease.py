"""The lease of this worker on all that it runs: fresh while Postgres hears its heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

LEASE_S = 10.0
"""Seconds without a heartbeat after which other workers reclaim what this one runs."""
FRESH_S = LEASE_S / 2
"""Seconds after a heartbeat within which new jobs may be claimed under it."""


class Lease:
    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """
        Args:
            clock: seconds that never go back.
        """
        self._clock = clock
        self._renewed_at = float("-inf")
        self._renewed = asyncio.Event()
        self._may_reclaim_from = 0.0

    def renew(self, heartbeat_at: float) -> None:
        """Postgres heard a heartbeat, at this moment of the monotonic clock or a little later.

        After a silence longer than the lease this worker takes nothing over for the length of one:
        it may have been the one that was cut off, and the others are as alive as it is.
        """
        if self._renewed_at < heartbeat_at - LEASE_S:
            self._may_reclaim_from = heartbeat_at + (LEASE_S if self._renewed_at > 0 else 0)
        self._renewed_at = heartbeat_at
        self._renewed.set()

    def suspend(self) -> None:
        """Postgres did not answer: claim nothing before the next heartbeat is heard."""
        self._renewed.clear()

    async def wait_until_fresh(self) -> None:
        """Wait until jobs may be claimed: a claim under no heartbeat would be reclaimed at once."""
        while not self._renewed.is_set() or self._clock() - self._renewed_at > FRESH_S:
            self._renewed.clear()
            await self._renewed.wait()

    @property
    def may_reclaim(self) -> bool:
        """Whether it may reclaim the jobs of others: it was not cut off lately itself."""
        now = self._clock()
        return now - self._renewed_at < FRESH_S and now >= self._may_reclaim_from
