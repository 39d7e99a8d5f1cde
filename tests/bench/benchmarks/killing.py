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


async def restart_times(
    bench: Bench, contender: ActiveLog, *, clear: bool = True
) -> Sequence[float]:
    """Kill one of two workers. Return the seconds until the other restarts each interrupted job.

    Args:
        clear: whether to remove all jobs first.
    """
    if clear:
        await contender.clear()
    bench.stamps.clear()
    async with worker(bench, contender, SLOTS) as one, worker(bench, contender, SLOTS) as other:
        await asyncio.sleep(3)
        for number in range(JOBS):
            await contender.enqueue_one(Work(number, LONG))
        await bench.stamps.reach(JOBS, within=15)
        await asyncio.sleep(1)
        pids = [(await contender.process_ids(number))[0] for number in range(JOBS)]
        killed = max((one, other), key=lambda process: pids.count(process.pid))
        interrupted = {number for number in range(JOBS) if pids[number] == killed.pid}
        killed.kill()
        killed_at = monotonic_ns()
        await bench.stamps.reach(JOBS + len(interrupted), within=60)
    again = bench.stamps.starts()[JOBS:]
    if {stamp.number for stamp in again} != interrupted:
        raise AssertionError("the restarted jobs are not those of the killed worker")
    return [(stamp.at - killed_at) / 1e9 for stamp in again]
