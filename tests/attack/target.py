"""An API process to attack, with the memory limit that compose.yaml gives it."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import STDOUT
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from app.embedded.home import ROOT
from app.embedded.ports import free_ports
from tests.bench.environment import Environment

MEMORY_LIMIT_BYTES = 512 * 1024 * 1024
"""The limit of the service `api` in compose.yaml."""
CGROUP = Path("/sys/fs/cgroup/memory")
START_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Target:
    """A running API."""

    url: str
    pid: int
    is_limited: bool
    """Whether the kernel enforces the memory limit: only for root, and with cgroups version 1."""

    def peak_mib(self) -> int:
        """Return the largest resident memory that the API process itself has had, in MiB."""
        return _status_kib(self.pid, "VmHWM") // 1024

    def is_alive(self) -> bool:
        return psutil.pid_exists(self.pid)


def _status_kib(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


@asynccontextmanager
async def target(
    environment: Environment, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Target]:
    """Start an API process and wait until it is ready. Its children share its memory limit."""
    (port,) = free_ports(1)
    environ = {**environment.environ, "PORT": str(port), **(settings or {})}
    group = CGROUP / f"activelog-attack-{port}"
    is_limited = _make_group(group)
    enter = f"echo $$ > {group}/cgroup.procs;" if is_limited else ""
    with (environment.folder / "api.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'{enter} exec "$0" -m app.asgi', sys.executable),
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        await _wait_until_ready(url)
        yield Target(url, process.pid, is_limited)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        with suppress(OSError):
            group.rmdir()


def _make_group(group: Path) -> bool:
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(MEMORY_LIMIT_BYTES))
    except OSError:
        return False
    return True


async def _wait_until_ready(url: str) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(START_TIMEOUT_S):
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(f"{url}/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
