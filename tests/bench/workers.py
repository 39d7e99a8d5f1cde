"""Worker processes, started as the users of each contender start them."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from app.embedded.home import ROOT
from tests.bench.contenders.contender import Bench, Contender
from tests.bench.stamps import FILE_VARIABLE


class WorkerEnded(Exception):
    """A worker exited by itself. The message is the end of the worker's output."""


@asynccontextmanager
async def worker(bench: Bench, contender: Contender, slots: int) -> AsyncIterator[Process]:
    """Run one worker process of the contender. Kill it at the end: its jobs are discarded anyway.

    Raises:
        WorkerEnded: the worker exited before the end of the block.
    """
    log = bench.environment.folder / "worker.log"
    environ = {
        **bench.environment.environ,
        **contender.environ(slots),
        FILE_VARIABLE: str(bench.stamps.path),
    }
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *contender.program, cwd=ROOT, env=environ, stdout=output, stderr=STDOUT
        )
    try:
        yield process
        if process.returncode is not None and process.returncode >= 0:
            raise WorkerEnded(log.read_text()[-2000:])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def cpu_seconds(process: Process) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system
