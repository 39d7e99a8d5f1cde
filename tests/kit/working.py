"""Running what is queued with the real worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from app.resources import Resources
from worker.process import Process

UNFINISHED = (
    "select count(*) from jobs where state in ('queued', 'running', 'retrying') and run_at <= now()"
)


@asynccontextmanager
async def working(resources: Resources) -> AsyncIterator[Process]:
    """A worker in this process, drained at the end."""
    process = Process(resources.settings, resources)
    await process.start()
    try:
        yield process
    finally:
        await process.drain()


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
