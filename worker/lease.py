"""The worker's lease on the jobs that it runs, which each heartbeat renews."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

LEASE_S = 10.0
"""After this many seconds without a heartbeat, other workers reclaim this worker's jobs."""
FRESH_S = LEASE_S / 2
"""Jobs may be claimed for this many seconds after a heartbeat."""


class Lease:
    """A worker's lease. Claiming and reclaiming jobs require a recent heartbeat."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """
        Args:
            clock: a monotonic clock, in seconds.
        """
        self._clock = clock
        self._renewed_at = float("-inf")
        self._renewed = asyncio.Event()
        self._may_reclaim_from = 0.0

    def renew(self, heartbeat_at: float) -> None:
        """Renew the lease after Postgres has recorded a heartbeat.

        After a gap longer than the lease, this worker reclaims nothing for ten seconds: the other
        workers may have been cut off too, and need time to send a heartbeat.

        Args:
            heartbeat_at: when the heartbeat was sent, by the monotonic clock.
        """
        if self._renewed_at < heartbeat_at - LEASE_S:
            self._may_reclaim_from = heartbeat_at + (LEASE_S if self._renewed_at > 0 else 0)
        self._renewed_at = heartbeat_at
        self._renewed.set()

    def suspend(self) -> None:
        """Allow no claims until the next heartbeat, because Postgres did not answer."""
        self._renewed.clear()

    async def wait_until_fresh(self) -> None:
        """Wait for a recent heartbeat, so that other workers do not reclaim newly claimed jobs."""
        while not self._renewed.is_set() or self._clock() - self._renewed_at > FRESH_S:
            self._renewed.clear()
            await self._renewed.wait()

    @property
    def may_reclaim(self) -> bool:
        """Whether this worker may reclaim jobs. It may not if it was recently cut off itself."""
        now = self._clock()
        return now - self._renewed_at < FRESH_S and now >= self._may_reclaim_from
