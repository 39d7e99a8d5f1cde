"""Servers for a single test, which may kill, restart and freeze them."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import psutil

from app.embedded.daemon import Daemon, Workspace
from app.embedded.home import make_home
from app.embedded.ports import free_ports
from app.embedded.postgres import Postgres
from app.embedded.registry import ProcessRegistry
from app.embedded.servers import Valkey
from app.jobs.reclaim import reclaim
from app.postgres.database import Database


class PersistentPostgres(Postgres):
    """A Postgres that keeps its data when it is restarted."""

    def cleanup_paths(self) -> Sequence[Path]:
        return ()


@asynccontextmanager
async def own_valkey() -> AsyncIterator[Valkey]:
    """Yield a Valkey for one test, without starting it."""
    with workspace() as place:
        valkey = Valkey(place)
        valkey.choose_ports()  # so that its URL is known before the start
        try:
            yield valkey
        finally:
            await valkey.stop()


@asynccontextmanager
async def own_postgres() -> AsyncIterator[Postgres]:
    """Start an empty Postgres for one test."""
    with workspace() as place:
        postgres = PersistentPostgres(place)
        try:
            await postgres.start()
            yield postgres
        finally:
            await postgres.stop()


@contextmanager
def workspace() -> Iterator[Workspace]:
    """Yield a workspace for one server."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="activelog-outage-"))
        home = make_home(Path(folder) / "servers")
        registry = stack.enter_context(ProcessRegistry(home / "processes.json"))
        yield Workspace(home, registry, durable=False, fixed_port=free_ports(1)[0])


async def kill(server: Daemon, signum: signal.Signals = signal.SIGKILL) -> None:
    """Kill a server with a signal. `start` starts it again with the data on disk."""
    assert server.pid is not None
    os.kill(server.pid, signum)
    await server.wait()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Suspend a process and its descendants while the block runs."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    for member in family:
        member.suspend()
    try:
        yield
    finally:
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.resume()


async def terminate_backends(database: Database, process: str = "activelog-worker") -> int:
    """Terminate the connections with this application name. Return how many there were."""
    return int(
        await database.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where application_name = $1 and datname = current_database()",
            process,
        )
    )


async def expire_lease(database: Database, pid: int) -> None:
    """Reclaim a killed worker's jobs now instead of in ten seconds."""
    await database.execute("update workers set seen_at = '-infinity' where pid = $1", pid)
    await database.execute("update heartbeats set last_at = now(), gap_ended_at = 'epoch'")
    await reclaim(database)
    await database.execute("update jobs set run_at = now() where state = 'queued'")
