"""How late a deferred job starts, and how long a cancelled job keeps running."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from time import monotonic_ns

from tests.bench.contenders.activelog import ActiveLog
from tests.bench.contenders.contender import Bench, Work
from tests.bench.workers import worker

SLOTS = 10
LONG = 60
"""Seconds that a job runs if it is not cancelled."""
SHORTEST, LONGEST = 1.5, 3.5
"""Bounds, in seconds, of a job's delay, which is uniformly distributed."""


async def starts_after_due(bench: Bench, contender: ActiveLog, *, count: int) -> Sequence[float]:
    """Measure the seconds from each job's due time to its start on an idle worker, sorted."""
    await contender.clear()
    bench.stamps.clear()
    due: dict[int, int] = {}
    async with worker(bench, contender, SLOTS):
        await asyncio.sleep(3)
        for number in range(count):
            delay = random.uniform(SHORTEST, LONGEST)  # noqa: S311 # not a secret
            due[number] = await contender.enqueue_later(Work(number), delay)
        await bench.stamps.reach(count)
    return sorted((stamp.at - due[stamp.number]) / 1e9 for stamp in bench.stamps.starts())


async def ends_after_cancel(bench: Bench, contender: ActiveLog, *, count: int) -> Sequence[float]:
    """Measure the seconds from each cancellation to the end of the running job, sorted."""
    await contender.clear()
    bench.stamps.clear()
    waits = []
    async with worker(bench, contender, SLOTS):
        for number in range(count):
            await contender.enqueue_one(Work(number, LONG))
            await bench.stamps.reach(number + 1)
            await asyncio.sleep(random.random())  # noqa: S311 # not a secret
            await contender.cancel(number)
            asked = monotonic_ns()
            while await contender.unfinished():  # noqa: ASYNC110 # no event to wait for
                await asyncio.sleep(0.005)
            waits.append((monotonic_ns() - asked) / 1e9)
    return sorted(waits)
