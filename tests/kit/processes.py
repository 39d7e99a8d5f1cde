"""The service's own processes, and servers that a test may take away."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from app.embedded.daemon import Place
from app.embedded.ports import free_ports
from app.embedded.register import ROOT, Register
from app.embedded.valkey import Valkey

WORKER = ("-m", "arq", "tests.kit.trial_worker.WorkerSettings")
API = ("-m", "app.asgi")


class Program:
    """A process and everything that it said so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said += line.decode()

    async def says(self, words: str, *, within: float = 15) -> None:
        """Wait until it has said this.

        Raises:
            TimeoutError: it has not, and what it said instead.
        """
        try:
            async with asyncio.timeout(within):
                while words not in self.said:  # noqa: ASYNC110 # its output is all there is to see
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise TimeoutError(f"never said {words!r}, but:\n{self.said}") from None

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    async def ended(self, *, within: float = 15) -> int:
        """Its exit code.

        Raises:
            TimeoutError: it goes on.
        """
        async with asyncio.timeout(within):
            code = await self.process.wait()
            await self._reading
        return code


@asynccontextmanager
async def program(*arguments: str, environ: Mapping[str, str]) -> AsyncIterator[Program]:
    """Python with these arguments; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**environ, "PYTHONUNBUFFERED": "1", "LOG_FORMAT": "json"},
        stdout=PIPE,
        stderr=STDOUT,
    )
    running = Program(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await running.ended()


class ValkeyOfOne(Valkey):
    """Keeps the port that it was given, so that its URL is known while it is away."""

    def choose_ports(self) -> None:
        """Nothing to choose."""


@asynccontextmanager
async def valkey_of_one() -> AsyncIterator[ValkeyOfOne]:
    """A Valkey that belongs to one test. It is not started: the test says when."""
    with (
        tempfile.TemporaryDirectory(prefix="activelog-valkey-") as folder,
        Register(Path(folder) / "processes.json") as register,
    ):
        valkey = ValkeyOfOne(Place(Path(folder), register, durable=False))
        valkey.port = free_ports(1)[0]
        try:
            yield valkey
        finally:
            await valkey.stop()
