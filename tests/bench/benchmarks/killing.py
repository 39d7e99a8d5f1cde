"""How long the jobs of a worker that was killed with -9 wait for a second one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic_ns

from tests.bench.contenders.activelog import ActiveLog
from tests.bench.contenders.side import Bench, Work
from tests.bench.workers import worker

SLOTS = 20
JOBS = 12
LONG = 60
"""Seconds that each job would take: none ends before its worker is killed."""


async def restarts(bench: Bench, side: ActiveLog) -> Sequence[float]:
    """Seconds from one kill to the start elsewhere of each job that the killed worker ran."""
    await side.clear()
    bench.stamps.clear()
    async with worker(bench, side, SLOTS) as one, worker(bench, side, SLOTS) as other:
        await asyncio.sleep(3)
        for number in range(JOBS):
            await side.enqueue_one(Work(number, LONG))
        await bench.stamps.reach(JOBS, within=15)
        await asyncio.sleep(1)
        held = [(await side.process_ids(number))[0] for number in range(JOBS)]
        killed = max((one, other), key=lambda process: held.count(process.pid))
        theirs = {number for number in range(JOBS) if held[number] == killed.pid}
        killed.kill()
        at = monotonic_ns()
        await bench.stamps.reach(JOBS + len(theirs), within=60)
    again = bench.stamps.starts()[JOBS:]
    if {stamp.number for stamp in again} != theirs:
        raise AssertionError("other jobs began again than those of the killed worker")
    return [(stamp.at - at) / 1e9 for stamp in again]
