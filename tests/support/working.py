"""Helpers that run queued jobs with the real worker and wait for results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Protocol

from app.jobs.handlers import HANDLERS
from app.resources import Resources
from worker.cron import Clock
from worker.engine import Engine

WAIT_LIMIT_S = 150.0
"""How long a test waits before it fails. An idle machine needs seconds; a busy one may need a
minute."""


class RunJobs(Protocol):
    """`run_jobs` with the test's resources."""

    def __call__(self, *, may_fail: bool = ...) -> Awaitable[None]: ...


DUE = """
select count(*) from jobs
where state in ('queued', 'running', 'retrying') and run_at <= now() and blocked_on is null
"""
DUE_OR_POSTPONED = """
select count(*) from jobs
where state in ('retrying', 'snoozed') or (state in ('queued', 'running') and run_at <= now())
"""
DEAD_SINCE = "select kind, error from jobs where state = 'dead' and finished_at >= $1"


@asynccontextmanager
async def running_worker(
    resources: Resources, *, grace: float | None = None, clock: Clock | None = None
) -> AsyncIterator[Engine]:
    """Run an engine in this process while the block runs, then drain it.

    Args:
        grace: seconds that running jobs may take at the end; None for the value in the settings.
        clock: the clock for the schedules; None to fire no schedules.
    """
    settings = resources.settings
    if grace is not None:
        worker = replace(settings.worker, shutdown_grace=timedelta(seconds=grace))
        settings = replace(settings, worker=worker)
    engine = Engine(settings, resources, clock=clock, handlers=HANDLERS)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.drain()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition is true.

    Raises:
        TimeoutError: the condition is not true within `WAIT_LIMIT_S`.
    """
    async with asyncio.timeout(WAIT_LIMIT_S):
        while not holds():  # noqa: ASYNC110 # no event to wait for
            await asyncio.sleep(0.01)


async def run_jobs(resources: Resources, *, may_fail: bool = False) -> None:
    """Run all due jobs until they have finished.

    Args:
        may_fail: allow dead jobs, and do not wait for retries and snoozes. Otherwise wait for both,
            and fail the test if a job is dead.

    Raises:
        TimeoutError: a job is unfinished after `WAIT_LIMIT_S`.
        AssertionError: a job became a dead letter.
    """
    database = resources.database
    began = await database.fetchval("select clock_timestamp()")
    deadline = monotonic() + WAIT_LIMIT_S
    async with running_worker(resources):
        while await database.fetchval(DUE if may_fail else DUE_OR_POSTPONED):
            if monotonic() > deadline:
                rows = await database.fetch("select kind, state, error from jobs")
                raise TimeoutError(f"jobs are unfinished: {[dict(row) for row in rows]}")
            await asyncio.sleep(0.01)
    dead = await database.fetch(DEAD_SINCE, began)
    assert may_fail or not dead, [dict(row) for row in dead]


async def eventually(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Call `ask` until it returns `wanted`.

    Raises:
        TimeoutError: `ask` did not return `wanted` within `WAIT_LIMIT_S`.
    """
    answer: object = None
    try:
        async with asyncio.timeout(WAIT_LIMIT_S):
            while (answer := await ask()) != wanted:  # noqa: ASYNC110 # no event to wait for
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"{answer!r} instead of {wanted!r}") from None
