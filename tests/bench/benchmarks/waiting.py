"""What a huge number of waiting jobs costs the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic, monotonic_ns
from typing import NamedTuple

from tests.bench.benchmarks.killing import restart_times
from tests.bench.contenders.activelog import ActiveLog
from tests.bench.contenders.contender import Bench, Work
from tests.bench.workers import worker

SLOTS = 10
FILL_LIMIT_S = 600
AFTER_PAUSE_S = 10
INTERVAL_S = 0.1
"""Seconds between two of the jobs whose latency is measured."""
CRITICAL = 20


class Return(NamedTuple):
    """Seconds after a flush of Redis."""

    critical_started: float
    """When the last critical job started that had been waiting."""
    all_back: float
    """When Redis had the ids of all waiting jobs again."""


async def restarts_beside_waiting_jobs(
    bench: Bench, contender: ActiveLog, *, waiting: int
) -> Sequence[float]:
    """Measure restarts after kill -9 while many jobs wait in a paused queue."""
    await _fill_paused_queue(bench, contender, waiting)
    return await restart_times(bench, contender, clear=False)


async def latency_beside_paused_kind(
    bench: Bench, contender: ActiveLog, *, waiting: int, count: int
) -> Sequence[float]:
    """Return the sorted seconds from commit to start of jobs beside a paused kind, same queue."""
    await contender.clear()
    bench.stamps.clear()
    await contender.pause("queue", "default")
    await contender.fill(waiting, "default")
    async with worker(bench, contender, SLOTS):
        await _wait_for_ids(contender, "default", waiting)
        await contender.pause("kind", "bench:noop")
        await contender.resume("queue", "default")
        await asyncio.sleep(AFTER_PAUSE_S)
        committed = {}
        for number in range(count):
            await contender.enqueue_one(Work(number, queue="other"))
            committed[number] = monotonic_ns()
            await asyncio.sleep(INTERVAL_S)
        await bench.stamps.reach(count)
    starts = [stamp for stamp in bench.stamps.starts() if stamp.number in committed]
    return sorted((stamp.at - committed[stamp.number]) / 1e9 for stamp in starts)


async def idle_writes(bench: Bench, contender: ActiveLog, *, waiting: int, seconds: float) -> float:
    """Return the rows written a second while many jobs wait in a paused queue."""
    await _fill_paused_queue(bench, contender, waiting)
    async with worker(bench, contender, SLOTS):
        await _wait_for_ids(contender, "low", waiting)
        await asyncio.sleep(AFTER_PAUSE_S)
        before, began = await contender.rows_written(), monotonic()
        await asyncio.sleep(seconds)
        return (await contender.rows_written() - before) / (monotonic() - began)


async def return_after_flush(bench: Bench, contender: ActiveLog, *, waiting: int) -> Return:
    """Flush Redis while many jobs wait, and critical ones with them; measure their return."""
    await _fill_paused_queue(bench, contender, waiting)
    async with worker(bench, contender, SLOTS):
        await _wait_for_ids(contender, "low", waiting)
        await contender.pause("queue", "critical")
        await asyncio.sleep(3)  # until the worker has read the pause
        await contender.enqueue([Work(number, queue="critical") for number in range(CRITICAL)])
        await asyncio.sleep(3)
        await contender.flush_redis()
        flushed_at = monotonic_ns()
        await contender.resume("queue", "critical")
        await bench.stamps.reach(CRITICAL)
        started = max(stamp.at for stamp in bench.stamps.starts())
        await _wait_for_ids(contender, "low", waiting)
        all_back = monotonic_ns()
    return Return((started - flushed_at) / 1e9, (all_back - flushed_at) / 1e9)


async def _fill_paused_queue(bench: Bench, contender: ActiveLog, waiting: int) -> None:
    await contender.clear()
    bench.stamps.clear()
    await contender.pause("queue", "low")
    await contender.fill(waiting, "low")


async def _wait_for_ids(contender: ActiveLog, queue: str, count: int) -> None:
    async with asyncio.timeout(FILL_LIMIT_S):
        while await contender.ids_in_redis(queue) < count:  # noqa: ASYNC110 # no event to wait for
            await asyncio.sleep(0.1)
