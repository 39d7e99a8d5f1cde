"""Processes of ActiveLog that tests may signal and kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from app.embedded.home import ROOT
from app.embedded.ports import free_ports
from tests.support.working import WAIT_LIMIT_S

WORKER = ("-m", "arq", "tests.support.sample_worker.WorkerSettings")
API = ("-m", "app.asgi")


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Program:
    """A process and its output so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.output = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.output += line.decode()

    async def wait_for_output(self, words: str) -> None:
        """Wait until the output contains these words.

        Raises:
            TimeoutError: the words did not appear in time. The message is the output.
        """
        try:
            async with asyncio.timeout(WAIT_LIMIT_S):
                while words not in self.output:  # noqa: ASYNC110 # no event to wait for
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise TimeoutError(f"no {words!r} in the output:\n{self.output}") from None

    def send(self, signum: signal.Signals) -> None:
        """Send a signal.

        asyncio's `send_signal` may reap a process that has just ended, and lose its exit code.

        Raises:
            ProcessLookupError: the process has ended.
        """
        os.kill(self.process.pid, signum)

    async def kill(self) -> None:
        """Kill the process, as `kill -9` does."""
        self.send(signal.SIGKILL)
        await self.ended()

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    async def ended(self) -> int:
        """Wait until the process exits, and return the exit code.

        Raises:
            TimeoutError: the process is still running.
        """
        async with asyncio.timeout(WAIT_LIMIT_S):
            code = await self.process.wait()
            await self._reading
        return code


@asynccontextmanager
async def program(
    *arguments: str, environ: Mapping[str, str], folder: Path = ROOT
) -> AsyncIterator[Program]:
    """Run Python with these arguments. Kill the process at the end if it is still running."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env={**environ, "PYTHONUNBUFFERED": "1", "LOG_FORMAT": "json"},
        stdout=PIPE,
        stderr=STDOUT,
    )
    running = Program(process)
    try:
        yield running
    finally:
        if running.is_running:
            with suppress(ProcessLookupError):
                running.send(signal.SIGKILL)
        await running.ended()


@asynccontextmanager
async def running_api(environ: Mapping[str, str]) -> AsyncIterator[tuple[Program, str]]:
    """Run the API as a process, and yield the process and its URL."""
    port = free_ports(1)[0]
    async with program(*API, environ={**environ, "PORT": str(port)}) as api:
        await api.wait_for_output("api.started")
        yield api, f"http://127.0.0.1:{port}/api/v1"
