"""The CPU time that an idle worker uses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from tests.bench.contenders.contender import Bench, Contender
from tests.bench.workers import cpu_seconds, worker

SETTLING = 4
"""Seconds until a worker has started and found nothing to do."""


async def idle_cores(
    bench: Bench, contenders: Mapping[str, Contender], *, slots: int, seconds: float
) -> Mapping[str, float]:
    """Measure the share of a core that each contender uses while all are idle at the same time."""
    async with AsyncExitStack() as stack:
        processes = {}
        for key, contender in contenders.items():
            await contender.clear()
            processes[key] = await stack.enter_async_context(worker(bench, contender, slots))
        await asyncio.sleep(SETTLING)
        before = {key: cpu_seconds(process) for key, process in processes.items()}
        await asyncio.sleep(seconds)
        return {
            key: (cpu_seconds(process) - before[key]) / seconds
            for key, process in processes.items()
        }
