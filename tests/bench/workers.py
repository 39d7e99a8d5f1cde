"""Worker processes of a side, started as their users start them."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from app.embedded.home import ROOT
from tests.bench.contenders.side import Bench, Side
from tests.bench.stamps import FILE


class WorkerEnded(Exception):
    """A worker ended by itself; what it said last."""


@asynccontextmanager
async def worker(bench: Bench, side: Side, slots: int) -> AsyncIterator[Process]:
    """One worker process of the side; killed at the end, since its rows are thrown away.

    Raises:
        WorkerEnded: it did so before that.
    """
    log = bench.ground.folder / "worker.log"
    environ = {
        **bench.ground.environ,
        **side.environ(slots),
        FILE: str(bench.stamps.path),
    }
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *side.program, cwd=ROOT, env=environ, stdout=output, stderr=STDOUT
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
