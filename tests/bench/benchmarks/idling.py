"""What an idle worker costs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from tests.bench.contenders.side import Bench, Side
from tests.bench.workers import cpu_seconds, worker

SETTLING = 4
"""Seconds until a worker has started and found nothing to do."""


async def idle_cores(
    bench: Bench, sides: Mapping[str, Side], *, slots: int, seconds: float
) -> Mapping[str, float]:
    """The share of a core that each takes. They idle side by side: CPU time is each one's own."""
    async with AsyncExitStack() as stack:
        processes = {}
        for key, side in sides.items():
            await side.clear()
            processes[key] = await stack.enter_async_context(worker(bench, side, slots))
        await asyncio.sleep(SETTLING)
        before = {key: cpu_seconds(process) for key, process in processes.items()}
        await asyncio.sleep(seconds)
        return {
            key: (cpu_seconds(process) - before[key]) / seconds
            for key, process in processes.items()
        }
