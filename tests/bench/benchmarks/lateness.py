"""How late a deferred job starts, and how long a running job outlives its cancellation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from time import monotonic_ns

from tests.bench.contenders.activelog import ActiveLog
from tests.bench.contenders.side import Bench, Work
from tests.bench.workers import worker

SLOTS = 10
LONG = 60
"""How long a job would run if it were not cancelled, in seconds."""
SHORTEST, LONGEST = 1.5, 3.5
"""Seconds that a job is deferred by, drawn evenly."""


async def starts_after_due(bench: Bench, side: ActiveLog, *, count: int) -> Sequence[float]:
    """Seconds from when each job was due to its start, on an idle worker; the shortest first."""
    await side.clear()
    bench.stamps.clear()
    due: dict[int, int] = {}
    async with worker(bench, side, SLOTS):
        await asyncio.sleep(3)
        for number in range(count):
            delay = random.uniform(SHORTEST, LONGEST)  # noqa: S311 # no secret
            due[number] = await side.enqueue_later(Work(number), delay)
        await bench.stamps.reach(count)
    return sorted((stamp.at - due[stamp.number]) / 1e9 for stamp in bench.stamps.starts())


async def ends_after_cancel(bench: Bench, side: ActiveLog, *, count: int) -> Sequence[float]:
    """Seconds from a cancellation to the end of the running job; the shortest first."""
    await side.clear()
    bench.stamps.clear()
    waits = []
    async with worker(bench, side, SLOTS):
        for number in range(count):
            await side.enqueue_one(Work(number, LONG))
            await bench.stamps.reach(number + 1)
            await asyncio.sleep(random.random())  # noqa: S311 # anywhere between two heartbeats
            await side.cancel(number)
            asked = monotonic_ns()
            while await side.unfinished():  # noqa: ASYNC110 # nothing tells of it
                await asyncio.sleep(0.005)
            waits.append((monotonic_ns() - asked) / 1e9)
    return sorted(waits)
