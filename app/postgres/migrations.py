"""The migrations in `sql/migrations`, run by dbmate in one process at a time."""

from __future__ import annotations

import asyncio
import os
import shutil
import sysconfig
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import structlog

from app.postgres.failures import POSTGRES_ERRORS, failure_of, not_responding
from app.postgres.pool import Connection, connect, require_supported_major
from app.postgres.roles import ApplicationRole

log = structlog.get_logger()

FOLDER = Path(__file__).parents[2] / "sql" / "migrations"
DBMATE = shutil.which("dbmate", path=sysconfig.get_path("scripts")) or shutil.which("dbmate")
"""dbmate next to the interpreter, or else on the PATH: `uv run --with` uses its own interpreter."""
ADVISORY_LOCK = 0x6163746976656C6F
"""Taken while migrating, because dbmate takes no lock."""
LOCK_TIMED_OUT = "canceling statement due to lock timeout"


class LockRetries(NamedTuple):
    """How a migration waits for a table that another transaction keeps locked."""

    timeout_s: int = 3
    """The longest that an attempt waits. Everyone else who needs the table waits with it."""
    attempts: int = 20
    delay_s: float = 2
    """The time between attempts, in which the others make progress."""


LOCK_RETRIES = LockRetries()


class MigrationFailed(Exception):
    """dbmate failed, and the message is its output; or dbmate is not installed."""


async def migrate(
    url: str,
    command: str = "up",
    *,
    role: ApplicationRole | None = None,
    lock_retries: LockRetries = LOCK_RETRIES,
) -> str:
    """Migrate `up` to the newest version, or `down` by one. Concurrent calls wait for each other.

    If another transaction keeps a table locked, a migration is rolled back and tried again.

    Args:
        url: the URL of the role that owns the tables. If it names several hosts, the one that is
            migrated is the one to which asyncpg connects.
        role: the application's role, if it is a different one. After migrating `up`, it may read
            and write rows.

    Returns:
        The output of dbmate.

    Raises:
        SettingsError: the database, user, password or a parameter in the URL is wrong, or the
            application's role may do too much or cannot be created.
        TooOld: Postgres is too old.
        Unavailable: Postgres is not responding.
        MigrationFailed: a migration failed and was rolled back, or dbmate is not installed, or a
            table stayed locked.
    """
    variable = "DATABASE_URL" if role is None else "MIGRATIONS_DATABASE_URL"
    try:
        connection = await connect(url, timeout=10, variable=variable)
    except (OSError, *POSTGRES_ERRORS) as error:
        if failure_of(error) is None:
            raise
        raise not_responding(error) from error
    try:
        require_supported_major(connection.get_server_version().major)
        await connection.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
        encrypted = await connection.fetchval(
            "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        )
        if role is not None:
            await role.require_usable(connection)
        url = _url_for_dbmate(url, connection, lock_retries.timeout_s, encrypted=encrypted)
        output = await _retry_while_locked(url, command, lock_retries)
        if role is not None and command == "up":
            await role.grant(connection)
        return output
    finally:
        await connection.close()


async def _retry_while_locked(url: str, command: str, retries: LockRetries) -> str:
    """Run dbmate, and rerun it if a table was locked for too long."""
    for attempt in range(1, retries.attempts + 1):
        try:
            return await _dbmate(url, command)
        except MigrationFailed as error:
            if LOCK_TIMED_OUT not in str(error):
                raise
            log.warning("migration.table_locked", attempt=attempt, of=retries.attempts)
            await asyncio.sleep(retries.delay_s)
    raise MigrationFailed(
        "another transaction keeps a table locked: find it in pg_stat_activity, end it with"
        " pg_terminate_backend, and migrate again"
    )


async def _dbmate(url: str, command: str, program: str | None = DBMATE) -> str:
    if program is None:
        raise MigrationFailed("dbmate is not installed: run `uv sync`")
    process = await asyncio.create_subprocess_exec(
        program,
        "--no-dump-schema",
        "--env-file",  # by default dbmate reads .env, even in production
        os.devnull,
        "--migrations-dir",
        str(FOLDER),
        {"up": "migrate", "down": "rollback"}[command],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"DATABASE_URL": url},  # not in the arguments, which every user of the machine can see
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise MigrationFailed(output.decode().strip())
    return output.decode().strip()


def _url_for_dbmate(
    url: str, connection: Connection, lock_timeout_s: int, *, encrypted: bool
) -> str:
    """Return the URL of the server to which asyncpg has connected, as dbmate's driver reads it.

    The driver supports neither several hosts nor `target_session_attrs`, and defaults to TLS.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query.setdefault("sslmode", "require" if encrypted else "disable")
    query["lock_timeout"] = f"{lock_timeout_s}s"
    query.pop("target_session_attrs", None)
    address = connection._addr  # type: ignore[union-attr] # noqa: SLF001 # there is no public way
    if not isinstance(address, str):  # a Unix socket, of which there is one
        host, port = address
        login, at, _ = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{login}{at}{f'[{host}]' if ':' in host else host}:{port}")
        for name in ("host", "port"):
            query.pop(name, None)
    return urlunsplit(parts._replace(query=urlencode(query)))
