"""The time from the commit of a single job to its handler's first line, on an idle worker."""

from __future__ import annotations

import asyncio
import random
from time import monotonic_ns
from typing import NamedTuple

from tests.bench.contenders.contender import Bench, Contender, Work
from tests.bench.workers import worker

WARMUP_JOBS = 20
"""The number of first jobs, which are not counted: they open connections and prepare statements."""
SHORTEST, LONGEST = 0.005, 0.030
"""Bounds, in seconds, of the pause between two jobs, which is uniformly distributed."""


class Latency(NamedTuple):
    p50: float
    p99: float
    """In milliseconds, as is `p50`."""


async def commit_to_start(bench: Bench, contender: Contender, *, count: int, slots: int) -> Latency:
    """Enqueue one job at a time. The clock starts when the enqueue returns."""
    await contender.clear()
    bench.stamps.clear()
    accepted: dict[int, int] = {}
    async with worker(bench, contender, slots):
        await contender.enqueue([Work(number) for number in range(WARMUP_JOBS)])
        await bench.stamps.reach(WARMUP_JOBS)
        await asyncio.sleep(1)
        for number in range(WARMUP_JOBS, WARMUP_JOBS + count):
            await asyncio.sleep(random.uniform(SHORTEST, LONGEST))  # noqa: S311 # not a secret
            await contender.enqueue_one(Work(number))
            accepted[number] = monotonic_ns()
        await bench.stamps.reach(WARMUP_JOBS + count)
    waits = sorted(
        max(0, stamp.at - accepted[stamp.number]) / 1e6
        for stamp in bench.stamps.starts()
        if stamp.number in accepted
    )
    return Latency(waits[len(waits) // 2], waits[int(len(waits) * 0.99)])
