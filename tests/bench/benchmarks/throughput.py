"""Jobs per second while there is a backlog, and the share of slot time in use."""

from __future__ import annotations

import asyncio
from time import monotonic_ns

from tests.bench.contenders.contender import Bench, Contender, Work
from tests.bench.workers import worker

SLEEP = 0.1


async def jobs_per_second(bench: Bench, contender: Contender, *, count: int, slots: int) -> float:
    """Run a backlog, timed from the first handler's start until all jobs are finished."""
    await _fill(bench, contender, count, seconds=0)
    async with worker(bench, contender, slots):
        await bench.stamps.reach(count)
        while await contender.unfinished():  # noqa: ASYNC110 # no event: another process runs the jobs
            await asyncio.sleep(0.005)
        ended = monotonic_ns()
    starts = bench.stamps.starts()
    if len(starts) != count:
        raise AssertionError(f"{contender.name}: {count} jobs, {len(starts)} starts")
    return count / (ended - starts[0].at) * 1e9


async def slot_use(bench: Bench, contender: Contender, *, count: int, slots: int) -> float:
    """Measure the share of slot time spent on jobs of 100 ms, from the first start to the last.

    Each job counts as exactly 100 ms: a delay that a busy event loop adds to a sleep is not work.
    """
    await _fill(bench, contender, count, seconds=SLEEP)
    async with worker(bench, contender, slots):
        await bench.stamps.reach(2 * count)
    starts = bench.stamps.starts()
    span = (starts[-1].at - starts[0].at) / 1e9
    return (count - slots) * SLEEP / (slots * span)


async def _fill(bench: Bench, contender: Contender, count: int, *, seconds: float) -> None:
    await contender.clear()
    bench.stamps.clear()
    await contender.enqueue([Work(number, seconds) for number in range(count)])
