"""Throughput of several worker processes side by side, and the CPU time that they use."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from time import monotonic_ns
from typing import NamedTuple

import psutil

from tests.bench.contenders.contender import Bench, Contender, Work
from tests.bench.workers import cpu_seconds, worker


class Scaled(NamedTuple):
    rate: float
    """Jobs per second, from the first start until all jobs are finished."""
    worker_cores: float
    """Cores that the worker processes used."""
    machine_cores: float
    """Cores that the whole machine used, including the servers and the benchmark."""


async def side_by_side(
    bench: Bench, contender: Contender, *, processes: int, count: int, seconds: float
) -> Scaled:
    """Run a backlog with `processes` workers of 10 slots; each job sleeps `seconds`."""
    await contender.clear()
    bench.stamps.clear()
    await contender.enqueue([Work(number, seconds) for number in range(count)])
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(worker(bench, contender, 10)) for _ in range(processes)
        ]
        await bench.stamps.reach(1)
        before, busy = sum(map(cpu_seconds, started)), _busy()
        await bench.stamps.reach(count * (2 if seconds else 1), within=300)
        while await contender.unfinished():  # noqa: ASYNC110 # no event: other processes run the jobs
            await asyncio.sleep(0.005)
        ended = monotonic_ns()
        used, all_used = sum(map(cpu_seconds, started)) - before, _busy() - busy
    starts = bench.stamps.starts()
    if len(starts) != count:
        raise AssertionError(f"{count} jobs, {len(starts)} starts")
    span = (ended - starts[0].at) / 1e9
    return Scaled(count / span, used / span, all_used / span)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)  # workers run at a lower priority
