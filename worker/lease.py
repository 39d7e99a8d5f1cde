"""The worker's lease on the jobs that it runs, which each heartbeat renews."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

FRESH_S = 5.0
"""Jobs may be claimed for this many seconds after a heartbeat."""


class Lease:
    """A worker's lease. Claiming jobs requires a recent heartbeat."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """
        Args:
            clock: a monotonic clock, in seconds.
        """
        self._clock = clock
        self._renewed_at = float("-inf")
        self._renewed = asyncio.Event()

    def renew(self, heartbeat_at: float) -> None:
        """Renew the lease after Postgres has recorded a heartbeat.

        Args:
            heartbeat_at: when the heartbeat was sent, by the monotonic clock.
        """
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
