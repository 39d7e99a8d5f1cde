"""Jobs a second with a queue that is never empty, and how much of the slots they use."""

from __future__ import annotations

import asyncio
from time import monotonic_ns

from tests.bench.contenders.side import Bench, Side, Work
from tests.bench.workers import worker

SLEEP = 0.1


async def jobs_per_second(bench: Bench, side: Side, *, count: int, slots: int) -> float:
    """From the first handler's first line until no job is unfinished, over a backlog."""
    await _fill(bench, side, count, seconds=0)
    async with worker(bench, side, slots):
        await bench.stamps.reach(count)
        while await side.unfinished():  # noqa: ASYNC110 # another process finishes them
            await asyncio.sleep(0.005)
        ended = monotonic_ns()
    starts = bench.stamps.starts()
    if len(starts) != count:
        raise AssertionError(f"{side.name}: {count} jobs, {len(starts)} starts")
    return count / (ended - starts[0].at) * 1e9


async def slot_use(bench: Bench, side: Side, *, count: int, slots: int) -> float:
    """The share of the slots' time that went into jobs of 100 ms, from the first to the last start.

    Counts 100 ms a job and no more: what a busy event loop adds to a sleep is no use of a slot.
    """
    await _fill(bench, side, count, seconds=SLEEP)
    async with worker(bench, side, slots):
        await bench.stamps.reach(2 * count)
    starts = bench.stamps.starts()
    span = (starts[-1].at - starts[0].at) / 1e9
    return (count - slots) * SLEEP / (slots * span)


async def _fill(bench: Bench, side: Side, count: int, *, seconds: float) -> None:
    await side.clear()
    bench.stamps.clear()
    await side.enqueue([Work(number, seconds) for number in range(count)])
