"""Migrations: dbmate's plain SQL, one at a time, from `sql/migrations`."""

from __future__ import annotations

import asyncio
import os
import shutil
import sysconfig
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from app.errors import Unavailable
from app.postgres.pool import OUTAGES, require_new_enough

FOLDER = Path(__file__).parents[2] / "sql" / "migrations"
DBMATE = shutil.which("dbmate", path=sysconfig.get_path("scripts")) or shutil.which("dbmate")
"""Beside the interpreter, or, where `uv run --with` runs another one, on the PATH."""
LOCK = 0x6163746976656C6F
"""The advisory lock of whoever migrates: dbmate itself takes none."""


class MigrationFailed(Exception):
    """dbmate could not carry the schema on, and says why; or it is missing."""


async def migrate(url: str, command: str = "up") -> str:
    """Carry the schema up to the newest migration, or `down` by one. Whoever comes second waits.

    Returns:
        What dbmate said.

    Raises:
        TooOld, Unavailable: Postgres is too old, or does not answer.
        MigrationFailed: a migration failed; its transaction was rolled back.
    """
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, *OUTAGES) as error:
        raise Unavailable(f"Postgres does not respond: {error}", dependency="postgres") from error
    try:
        require_new_enough(connection.get_server_version().major)
        await connection.execute("select pg_advisory_lock($1)", LOCK)
        encrypted = await connection.fetchval(
            "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        )
        return await _dbmate(_with_sslmode(url, encrypted=encrypted), command)
    finally:
        await connection.close()


async def _dbmate(url: str, command: str, program: str | None = DBMATE) -> str:
    if program is None:
        raise MigrationFailed("dbmate is not installed: run `uv sync`")
    process = await asyncio.create_subprocess_exec(
        program,
        "--no-dump-schema",
        "--env-file",  # it would read .env by itself, in production too
        os.devnull,
        "--migrations-dir",
        str(FOLDER),
        {"up": "migrate", "down": "rollback"}[command],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"DATABASE_URL": url},  # and not in the arguments, which every user can list
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise MigrationFailed(output.decode().strip())
    return output.decode().strip()


def _with_sslmode(url: str, *, encrypted: bool) -> str:
    """dbmate's driver insists on TLS unless it is told; asyncpg has just found out what holds."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query.setdefault("sslmode", "require" if encrypted else "disable")
    return urlunsplit(parts._replace(query=urlencode(query)))
