"""Pairs of servers: a primary, and a replica that takes over when it is gone."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.embedded.daemon import Daemon, Workspace
from app.embedded.home import SECRET_FILE
from app.embedded.ports import LOOPBACK, lines
from app.embedded.servers import Valkey
from app.embedded.wheels import valkey_server
from app.redis import open_redis
from tests.support.outages import PersistentPostgres, workspace
from tests.support.working import eventually

SERVICE = "activelog"


class ReplicaValkey(Valkey):
    """A Valkey that replicates another one until it is promoted. Both have the same password."""

    def __init__(self, workspace: Workspace, primary: Valkey) -> None:
        super().__init__(workspace)
        self._primary = primary
        shutil.copy(primary.workspace.home / SECRET_FILE, workspace.home / SECRET_FILE)

    def command(self) -> Sequence[str | Path]:
        return [
            *super().command(),
            *("--replicaof", LOOPBACK, str(self._primary.port)),
            *("--masterauth", self._password),
        ]


class Sentinel(Daemon):
    """A lone Sentinel that promotes the replica once the primary has been gone for 1 s."""

    name = "sentinel"

    def __init__(self, workspace: Workspace, primary: Valkey) -> None:
        super().__init__(workspace)
        self._primary = primary

    def choose_ports(self) -> None:
        self.port = self.workspace.choose_port(26379)

    def settings(self) -> dict[str, str]:
        login = urlsplit(self._primary.settings()["REDIS_URL"]).password
        return {"REDIS_URL": f"redis+sentinel://:{login}@{LOOPBACK}:{self.port}/{SERVICE}"}

    async def prepare(self) -> None:
        password = urlsplit(self._primary.settings()["REDIS_URL"]).password
        self._file.write_text(
            f"port {self.port}\n"
            f"bind {LOOPBACK}\n"
            f"sentinel monitor {SERVICE} {LOOPBACK} {self._primary.port} 1\n"
            f"sentinel auth-pass {SERVICE} {password}\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )

    @property
    def _file(self) -> Path:
        return self.workspace.folder("sentinel") / "sentinel.conf"

    def command(self) -> Sequence[str | Path]:
        return [valkey_server(), self._file, "--sentinel"]

    async def is_ready(self) -> bool:
        return await lines(self.port, 1, b"PING\r\n") == [b"+PONG\r\n"]


@dataclass(frozen=True, slots=True)
class RedisPair:
    """Two Valkeys and a Sentinel."""

    primary: Valkey
    replica: Valkey
    settings: dict[str, str]
    """With the URL of the Sentinel."""


@asynccontextmanager
async def redis_pair() -> AsyncIterator[RedisPair]:
    """Start a primary, a replica and a Sentinel."""
    async with AsyncExitStack() as stack:
        primary = Valkey(stack.enter_context(workspace()))
        await _start(stack, primary)
        replica = ReplicaValkey(stack.enter_context(workspace()), primary)
        await _start(stack, replica)
        url = replica.settings()["REDIS_URL"]
        client = await stack.enter_async_context(open_redis(url))

        async def link() -> object:
            return (await client.info("replication"))["master_link_status"]

        await eventually(link, "up")  # so that Sentinel learns of the replica when it starts
        sentinel = Sentinel(stack.enter_context(workspace()), primary)
        await _start(stack, sentinel)
        yield RedisPair(primary, replica, sentinel.settings())


async def _start(stack: AsyncExitStack, server: Daemon) -> None:
    await server.start()
    stack.push_async_callback(server.stop)


class Primary(PersistentPostgres):
    """A Postgres that keeps what it has committed. It may have a standby with the same data."""

    def command(self) -> Sequence[str | Path]:
        return [*super().command(), "-c", "synchronous_commit=on"]

    async def allow_replication(self) -> None:
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"{rules.read_text()}host replication all {LOOPBACK}/32 scram-sha-256\n")
        await _execute(self, "select pg_reload_conf()")

    async def wait_for_the_standby(self) -> None:
        """Make each commit wait for the standby from now on."""
        await _execute(self, "alter system set synchronous_standby_names = '*'")
        await _execute(self, "select pg_reload_conf()")


@asynccontextmanager
async def own_primary() -> AsyncIterator[Primary]:
    """Start an empty Postgres that keeps what it has committed when it is killed."""
    async with AsyncExitStack() as stack:
        primary = Primary(stack.enter_context(workspace()))
        await _start(stack, primary)
        yield primary


class Standby(Primary):
    """A standby of another Postgres, until it is promoted."""

    def __init__(self, workspace: Workspace, primary: Primary) -> None:
        super().__init__(workspace)
        self._primary = primary
        shutil.copy(primary.workspace.home / SECRET_FILE, workspace.home / SECRET_FILE)

    async def _make_cluster(self) -> None:
        source = self._primary.settings()["MIGRATIONS_DATABASE_URL"]
        self._data.mkdir(mode=0o700)
        if self._account is not None:
            self._account.take_ownership(self._data)
        await self._run(
            [self._programs / "bin" / "pg_basebackup", "--pgdata", self._data, "--dbname", source,
             "--write-recovery-conf", "--checkpoint=fast", "--no-sync"],
        )  # fmt: skip

    async def _require_passwords(self) -> None:
        """Do nothing: the passwords are those of the primary."""

    async def promote(self) -> None:
        await _execute(self, "select pg_promote()")


async def _execute(postgres: PersistentPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.settings()["MIGRATIONS_DATABASE_URL"])
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class PostgresPair:
    """A Postgres and its synchronous standby."""

    primary: Primary
    standby: Standby
    settings: dict[str, str]
    """With URLs that name both and ask for the one that accepts writes."""


@asynccontextmanager
async def postgres_pair() -> AsyncIterator[PostgresPair]:
    """Start an empty Postgres with a synchronous standby."""
    async with AsyncExitStack() as stack:
        primary = Primary(stack.enter_context(workspace()))
        await _start(stack, primary)
        await primary.allow_replication()
        standby = Standby(stack.enter_context(workspace()), primary)
        await _start(stack, standby)
        await primary.wait_for_the_standby()
        mine, other = primary.settings(), standby.settings()
        both = {
            name: _of_both(mine[name], other[name])
            for name in ("DATABASE_URL", "MIGRATIONS_DATABASE_URL")
        }
        yield PostgresPair(primary, standby, {**mine, **both})


def _of_both(first: str, second: str) -> str:
    parts, host = urlsplit(first), urlsplit(second).netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"{parts.netloc},{host}", query="target_session_attrs=read-write")
    )
