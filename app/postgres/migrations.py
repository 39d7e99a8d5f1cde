"""The migrations in `sql/migrations`, run by dbmate in one process at a time."""

from __future__ import annotations

import asyncio
import os
import shutil
import sysconfig
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from app.postgres.failures import POSTGRES_ERRORS, failure_of, not_responding
from app.postgres.pool import connect, require_supported_major
from app.postgres.roles import ApplicationRole

FOLDER = Path(__file__).parents[2] / "sql" / "migrations"
DBMATE = shutil.which("dbmate", path=sysconfig.get_path("scripts")) or shutil.which("dbmate")
"""dbmate next to the interpreter, or else on the PATH: `uv run --with` uses its own interpreter."""
ADVISORY_LOCK = 0x6163746976656C6F
"""Taken while migrating, because dbmate takes no lock."""


class MigrationFailed(Exception):
    """dbmate failed, and the message is its output; or dbmate is not installed."""


async def migrate(url: str, command: str = "up", *, role: ApplicationRole | None = None) -> str:
    """Migrate `up` to the newest version, or `down` by one. Concurrent calls wait for each other.

    Args:
        url: the URL of the role that owns the tables.
        role: the application's role, if it is another one. After migrating `up`, it may read and
            write rows.

    Returns:
        The output of dbmate.

    Raises:
        SettingsError: the database, user, password or a parameter in the URL is wrong, or the
            application's role may do too much or cannot be created.
        TooOld: Postgres is too old.
        Unavailable: Postgres is not responding.
        MigrationFailed: a migration failed and was rolled back, or dbmate is not installed.
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
        output = await _dbmate(_with_sslmode(url, encrypted=encrypted), command)
        if role is not None and command == "up":
            await role.grant(connection)
        return output
    finally:
        await connection.close()


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


def _with_sslmode(url: str, *, encrypted: bool) -> str:
    """Set the sslmode to match asyncpg's connection, unless the URL already sets it.

    By default, dbmate's driver requires TLS.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query.setdefault("sslmode", "require" if encrypted else "disable")
    return urlunsplit(parts._replace(query=urlencode(query)))
