"""Processes of ActiveLog and its rivals, started for the benchmarks."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from app.embedded.home import ROOT
from app.embedded.ports import free_ports
from tests.bench.environment import Environment

SAMPLE_INTERVAL_S = 0.02
MEBIBYTE = 2**20


class Service:
    """A process that serves HTTP."""

    def __init__(self, process: Process, url: str) -> None:
        self.process = process
        self.url = url

    def resident(self) -> float:
        """Return the resident memory in MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / MEBIBYTE


@asynccontextmanager
async def service(
    environment: Environment,
    *arguments: str,
    ready_path: str = "/",
    extra: Mapping[str, str] | None = None,
) -> AsyncIterator[Service]:
    """Run Python with these arguments, and kill the process at the end.

    `{port}` in an argument is replaced by a free port.

    Args:
        ready_path: a path that gets a response, with any status, once the process is ready.
    """
    (port,) = free_ports(1)
    environ = {**environment.environ, "PORT": str(port), "METRICS_PORT": str(port), **(extra or {})}
    with (environment.folder / "services.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(argument.format(port=port) for argument in arguments),
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=STDOUT,
        )
    running = Service(process, f"http://127.0.0.1:{port}")
    try:
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(_answers, running.url + ready_path):  # noqa: ASYNC110 # no event to wait for
                await asyncio.sleep(0.05)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _answers(url: str) -> bool:
    try:
        urlopen(url, timeout=1).close()  # noqa: S310 # our own server
    except URLError as error:
        return hasattr(error, "status")
    except OSError:
        return False
    return True


class Growth:
    """Measure how far a process's peak memory while the block runs exceeds its memory before."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._before = self._peak = 0.0

    async def __aenter__(self) -> Growth:
        self._before = self._peak = self._service.resident()
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            self._peak = max(self._peak, self._service.resident())
            await asyncio.sleep(SAMPLE_INTERVAL_S)

    @property
    def mebibytes(self) -> float:
        return self._peak - self._before
