"""Helpers to list registered processes, run `just up` and read its output line by line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.embedded.home import ROOT
from app.embedded.ports import free_ports
from tests.support.working import WAIT_LIMIT_S, until

SMALL_UP = Path(__file__).with_name("small_up.py")


def registered(home: Path) -> dict[str, int]:
    """Return the registered processes as {name: pid}; empty if there is no registry file."""
    file = home / "processes.json"
    entries = json.loads(file.read_text()) if file.exists() else []
    return {entry["name"]: entry["pid"] for entry in entries}


def small_environment(**variables: str) -> dict[str, str]:
    """Return an environment with free ports. For speed, only Postgres and Valkey are embedded."""
    port, api_metrics_port, metrics_port = free_ports(3)
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "SMTP_URL": "smtp://127.0.0.1:1",
        "PORT": str(port),
        "API_METRICS_PORT": str(api_metrics_port),
        "METRICS_PORT": str(metrics_port),
        "SHUTDOWN_GRACE": "1",
        **variables,
    }


class Up:
    """A running `up` and the lines read from it so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def read_until(self, words: str) -> None:
        """Read lines until a line contains the words.

        Raises:
            EOFError: `up` exited first.
        """
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_LIMIT_S):
            while line := await self.process.stdout.readline():
                self.lines.append(line.decode().rstrip())
                if words in self.lines[-1]:
                    return
        raise EOFError(self.text)

    async def end(self) -> int:
        """Read the rest of the output and return the exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_LIMIT_S):
            self.lines += (await self.process.stdout.read()).decode().splitlines()
            return await self.process.wait()


@asynccontextmanager
async def small_up(home: Path, environ: dict[str, str], fault: str = "") -> AsyncIterator[Up]:
    """Run `small_up.py`, and kill it at the end if necessary: its guard stops the servers."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SMALL_UP), str(home), fault),
        stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environ,
    )  # fmt: skip
    try:
        yield Up(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
            await until(lambda: not registered(home))
