"""The time until another worker restarts the jobs of a worker killed with `kill -9`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic_ns

from tests.bench.contenders.activelog import ActiveLog
from tests.bench.contenders.contender import Bench, Work
from tests.bench.workers import worker

SLOTS = 20
JOBS = 12
LONG = 60
"""Seconds per job, long enough that no job ends before its worker is killed."""


async def restarts(bench: Bench, contender: ActiveLog) -> Sequence[float]:
    """Kill one of two workers. Return the seconds until the other restarts each interrupted job."""
    await contender.clear()
    bench.stamps.clear()
    async with worker(bench, contender, SLOTS) as one, worker(bench, contender, SLOTS) as other:
        await asyncio.sleep(3)
        for number in range(JOBS):
            await contender.enqueue_one(Work(number, LONG))
        await bench.stamps.reach(JOBS, within=15)
        await asyncio.sleep(1)
        held = [(await contender.process_ids(number))[0] for number in range(JOBS)]
        killed = max((one, other), key=lambda process: held.count(process.pid))
        theirs = {number for number in range(JOBS) if held[number] == killed.pid}
        killed.kill()
        at = monotonic_ns()
        await bench.stamps.reach(JOBS + len(theirs), within=60)
    again = bench.stamps.starts()[JOBS:]
    if {stamp.number for stamp in again} != theirs:
        raise AssertionError("the restarted jobs are not those of the killed worker")
    return [(stamp.at - at) / 1e9 for stamp in again]
