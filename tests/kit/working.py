"""Running what is queued with the real worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from time import monotonic

from app.resources import Resources
from worker.process import Process

UNFINISHED = (
    "select count(*) from jobs where state in ('queued', 'running', 'retrying') and run_at <= now()"
)


@asynccontextmanager
async def working(resources: Resources, *, grace: float | None = None) -> AsyncIterator[Process]:
    """A worker in this process, drained at the end within the grace, in seconds."""
    settings = resources.settings
    if grace is not None:
        worker = replace(settings.worker, shutdown_grace=timedelta(seconds=grace))
        settings = replace(settings, worker=worker)
    process = Process(settings, resources)
    await process.start()
    try:
        yield process
    finally:
        await process.drain()


async def until(holds: Callable[[], bool], *, within: float = 5) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it does not after that many seconds.
    """
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 # what is waited for has no event
            await asyncio.sleep(0.01)


async def run_jobs(resources: Resources, *, within: float = 15) -> None:
    """Run until nothing that is due is unfinished.

    Raises:
        TimeoutError: something still is after that many seconds.
    """
    deadline = monotonic() + within
    async with working(resources):
        while await resources.database.fetchval(UNFINISHED):
            if monotonic() > deadline:
                rows = await resources.database.fetch("select kind, state, error from jobs")
                raise TimeoutError(f"jobs are unfinished: {[dict(row) for row in rows]}")
            await asyncio.sleep(0.01)


async def eventually(
    ask: Callable[[], Awaitable[object]], wanted: object, *, within: float = 10
) -> None:
    """Ask until the answer is the one wanted.

    Raises:
        TimeoutError: the last answer was another.
    """
    answer: object = None
    try:
        async with asyncio.timeout(within):
            while (answer := await ask()) != wanted:  # noqa: ASYNC110 # nothing tells of it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"{answer!r} instead of {wanted!r}") from None
