"""How late the event loop of this process wakes: whatever blocks it, all else waits for."""

from __future__ import annotations

import asyncio
from time import monotonic

from app import metrics

TICK = 0.5


async def watch_lag() -> None:
    """Measure it until cancelled."""
    while True:
        began = monotonic()
        await asyncio.sleep(TICK)
        metrics.loop_lag.observe(max(0.0, monotonic() - began - TICK))
