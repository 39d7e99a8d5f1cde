"""From the commit of a single job to the first line of its handler, on a worker that is idle."""

from __future__ import annotations

import asyncio
import random
from time import monotonic_ns
from typing import NamedTuple

from tests.bench.contenders.side import Bench, Side, Work
from tests.bench.workers import worker

WARM = 20
"""Jobs that come first and are not counted: connections are opened, statements prepared."""
SHORTEST, LONGEST = 0.005, 0.030
"""Seconds between two jobs, drawn evenly."""


class Latency(NamedTuple):
    p50: float
    p99: float
    """Both in milliseconds."""


async def commit_to_start(bench: Bench, side: Side, *, count: int, slots: int) -> Latency:
    """One job at a time: the clock runs from when enqueuing returned in this process."""
    await side.clear()
    bench.stamps.clear()
    accepted: dict[int, int] = {}
    async with worker(bench, side, slots):
        await side.enqueue([Work(number) for number in range(WARM)])
        await bench.stamps.reach(WARM)
        await asyncio.sleep(1)
        for number in range(WARM, WARM + count):
            await asyncio.sleep(random.uniform(SHORTEST, LONGEST))  # noqa: S311 # no secret
            await side.enqueue_one(Work(number))
            accepted[number] = monotonic_ns()
        await bench.stamps.reach(WARM + count)
    waits = sorted(
        max(0, stamp.at - accepted[stamp.number]) / 1e6
        for stamp in bench.stamps.starts()
        if stamp.number in accepted
    )
    return Latency(waits[len(waits) // 2], waits[int(len(waits) * 0.99)])
