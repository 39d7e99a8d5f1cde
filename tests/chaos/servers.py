"""The servers of a chaos run, and the processes' settings."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.embedded.daemon import Workspace
from app.embedded.inbox import Inbox, smtp_protocol
from app.embedded.ports import LOOPBACK
from app.embedded.s3 import S3
from app.embedded.servers import Valkey
from app.postgres.migrations import migrate
from tests.clocks import __main__ as clocks
from tests.support.failover import Primary, Standby, postgres_pair, redis_pair
from tests.support.outages import workspace
from tests.support.owner import application_role

SETTINGS = {
    "ENVIRONMENT": "test",
    "SECRET_KEY": "a long enough secret for the chaos run",
    "API_METRICS_PORT": "0",
    "METRICS_PORT": "0",
    "LOG_FORMAT": "json",
    "MAIL_FROM": "ActiveLog <hello@activelog.example>",
    "APP_URL": "https://activelog.example",
}


class ShiftablePostgres(Primary):
    """A Postgres whose clock can jump: it preloads a library that a C compiler builds."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._folder = Path(tempfile.mkdtemp(prefix="activelog-chaos-clock-"))
        self._folder.chmod(0o755)  # Postgres runs as another user
        self._shift, self._library = self._folder / "shift", self._folder / "clock.so"
        self.shift_clock(0)
        build: list[str | Path] = ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", self._library]
        subprocess.run([*build, f'-DSHIFT_FILE="{self._shift}"', clocks.LIBRARY], check=True)

    def shift_clock(self, seconds: int) -> None:
        """Make the clock show the real time plus this many seconds."""
        with self._shift.open("r+b" if self._shift.exists() else "w+b") as file:
            file.write(struct.pack("l", seconds))  # in place: Postgres has mapped the file

    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), "LD_PRELOAD": str(self._library)}


def can_shift_clock() -> bool:
    return sys.platform == "linux" and shutil.which("cc") is not None


class Sink(Inbox):
    """An inbox that only counts emails, by recipient."""

    def __init__(self) -> None:
        super().__init__(os.devnull)
        self.arrivals: Counter[str] = Counter()

    def store(self, sender: str, recipients: Sequence[str], content: bytes) -> str:
        self.arrivals.update(recipients)
        return "counted"


@dataclass(frozen=True, slots=True)
class Servers:
    postgres: Primary
    valkey: Valkey
    owner_url: str
    environ: Mapping[str, str]
    """The settings of all processes."""
    standby: Standby | None = None
    """The Postgres to promote when `postgres` is gone. Sentinel promotes the replica of Valkey."""
    sink: Sink = field(default_factory=Sink)


@asynccontextmanager
async def single_servers() -> AsyncIterator[Servers]:
    """Start one Postgres, one Valkey, one bucket and the sink for emails."""
    async with AsyncExitStack() as stack:
        postgres_type = ShiftablePostgres if can_shift_clock() else Primary
        postgres = postgres_type(stack.enter_context(workspace()))
        await postgres.start()
        stack.push_async_callback(postgres.stop)
        valkey = Valkey(stack.enter_context(workspace()))
        await valkey.start()
        stack.push_async_callback(valkey.stop)
        given = {**postgres.settings(), **valkey.settings()}
        yield await _complete(stack, given, postgres, valkey)


@asynccontextmanager
async def pairs_of_servers() -> AsyncIterator[Servers]:
    """Start the same, but with a synchronous standby of Postgres, and a replica of Valkey."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(postgres_pair())
        redis = await stack.enter_async_context(redis_pair())
        given = {**postgres.settings, **redis.settings}
        yield await _complete(stack, given, postgres.primary, redis.primary, postgres.standby)


async def _serve(stack: AsyncExitStack, sink: Sink) -> int:
    """Serve the sink, and return its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: smtp_protocol(sink), LOOPBACK, 0)
    stack.callback(server.close)
    return int(server.sockets[0].getsockname()[1])


async def _complete(
    stack: AsyncExitStack,
    given: Mapping[str, str],
    postgres: Primary,
    valkey: Valkey,
    standby: Standby | None = None,
) -> Servers:
    """Start the bucket and the sink, and migrate the database."""
    bucket = S3(stack.enter_context(workspace()))
    await bucket.start()
    stack.push_async_callback(bucket.stop)
    sink = Sink()
    environ = {
        "PATH": os.environ["PATH"],
        **SETTINGS,
        **given,
        **bucket.settings(),
        "SMTP_URL": f"smtp://{LOOPBACK}:{await _serve(stack, sink)}",
    }
    owner_url = environ.pop("MIGRATIONS_DATABASE_URL")
    await migrate(owner_url, role=application_role(environ["DATABASE_URL"]))
    return Servers(postgres, valkey, owner_url, environ, standby, sink)
