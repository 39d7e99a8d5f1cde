"""Valkey and the SMTP inbox, and functions to start and stop all servers together."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from app.embedded.daemon import Daemon, Workspace
from app.embedded.home import REGISTRY_FILE, ROOT, make_home
from app.embedded.ports import LOOPBACK, first_line, http_status, lines
from app.embedded.postgres import Postgres
from app.embedded.registry import ProcessRegistry
from app.embedded.s3 import S3
from app.embedded.wheels import valkey_server


class Valkey(Daemon):
    """Valkey, which speaks the Redis protocol. It may lose data: Postgres has the jobs."""

    name = "valkey"

    def choose_ports(self) -> None:
        self.port = self.workspace.choose_port(6379)

    def listening_ports(self) -> Mapping[str, tuple[int, int]]:
        return {"Valkey": (6379, self.port)}

    def settings(self) -> dict[str, str]:
        return {"REDIS_URL": f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"}

    @property
    def _password(self) -> str:
        return self.workspace.password("valkey")

    async def prepare(self) -> None:
        """Write the password to a file, as any user of this machine can read the arguments."""
        file = self._password_file
        file.touch(mode=0o600)
        file.write_text(f"requirepass {self._password}\n")

    @property
    def _password_file(self) -> Path:
        return self.workspace.folder("valkey") / "password.conf"

    def command(self) -> Sequence[str | Path]:
        append_only = "yes" if self.workspace.durable else "no"
        return [
            valkey_server(),
            self._password_file,
            *("--bind", LOOPBACK),
            *("--port", str(self.port)),
            *("--dir", self.workspace.folder("valkey")),
            *("--save", ""),
            *(() if self.workspace.durable else ("--databases", "1024")),  # one per test worker
            *("--appendonly", append_only),
            *("--appendfsync", "everysec"),
            *("--maxmemory-policy", "noeviction"),
        ]

    async def is_ready(self) -> bool:
        """Ping Valkey, which replies LOADING instead of PONG while it loads its file."""
        ping = f"AUTH {self._password}\r\nPING\r\n".encode()
        return (await lines(self.port, 2, ping)) == [b"+OK\r\n", b"+PONG\r\n"]


class InboxServer(Daemon):
    """The SMTP inbox and its web pages, in their own process (see inbox.py)."""

    name = "inbox"

    def choose_ports(self) -> None:
        self.port = self.workspace.choose_port(1025)
        self._web = self.workspace.choose_port(8025)

    def listening_ports(self) -> Mapping[str, tuple[int, int]]:
        return {"the SMTP inbox": (1025, self.port), "the inbox page": (8025, self._web)}

    def settings(self) -> dict[str, str]:
        return {
            "SMTP_URL": f"smtp://{LOOPBACK}:{self.port}",
            "INBOX_URL": f"http://{LOOPBACK}:{self._web}",
            "INBOX_FOLDER": str(self.workspace.folder("inbox")),
        }

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def command(self) -> Sequence[str | Path]:
        program = [sys.executable, "-m", "app.embedded.inbox"]
        return [*program, self.workspace.folder("inbox"), str(self.port), str(self._web)]

    async def is_ready(self) -> bool:
        greeting = await first_line(self.port)
        return greeting.startswith(b"220") and (
            await http_status(f"http://{LOOPBACK}:{self._web}/emails") == 200
        )


SERVER_TYPES: Mapping[str, type[Daemon]] = {
    "DATABASE_URL": Postgres,
    "REDIS_URL": Valkey,
    "S3_ENDPOINT_URL": S3,
    "SMTP_URL": InboxServer,
}
"""The type of server for each variable. A server is embedded unless its variable is set."""


@asynccontextmanager
async def servers(
    folder: Path, environ: Mapping[str, str], *, durable: bool = True
) -> AsyncIterator[dict[str, str]]:
    """Start the servers that `environ` does not name. Yield the variables for connecting to them.

    All servers have stopped when the context ends, even after an error or a cancellation.

    Args:
        folder: the home folder.
        durable: False for tests: files are not synced to disk, and all ports are random free
            ports. Otherwise default ports are used if they are free.

    Raises:
        DidNotStart: a server failed to start. The others have been stopped.
    """
    home = make_home(folder)
    with ProcessRegistry(home / REGISTRY_FILE) as registry:
        daemons = embedded_servers(Workspace(home, registry, durable), environ)
        try:
            await start_all(daemons)
            yield connection_settings(daemons)
        finally:
            await stop_all(daemons)


def embedded_servers(workspace: Workspace, environ: Mapping[str, str]) -> list[Daemon]:
    """Return the servers that `environ` does not name, without starting them."""
    return [
        server_type(workspace)
        for variable, server_type in SERVER_TYPES.items()
        if not environ.get(variable, "")
    ]


def connection_settings(daemons: Iterable[Daemon]) -> dict[str, str]:
    """Return the variables that tell other programs how to connect to the servers."""
    return {name: value for daemon in daemons for name, value in daemon.settings().items()}


async def start_all(daemons: Iterable[Daemon]) -> None:
    """Start programs concurrently. The first failure cancels the rest and is raised alone."""
    tasks = [asyncio.create_task(daemon.start()) for daemon in daemons]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stop_all(daemons: Iterable[Daemon]) -> None:
    """Stop programs concurrently."""
    await asyncio.gather(*(daemon.stop() for daemon in daemons))
