"""`python -m tests.sql.freeze`: store what the current code requires of the schema.

Run it for every release. `tests/sql/test_released.py` then checks every later migration against
the stored requirements, so that the code of a release runs on the schema of the next release.
"""

from __future__ import annotations

import asyncio
import json
import pkgutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg

import app
from app.embedded.home import ROOT
from app.postgres.migrations import migrate
from app.postgres.statements import STATEMENTS
from tests.support.outages import own_postgres

FILE = Path(__file__).with_name("released.json")

COLUMNS = """
select table_name, column_name, is_nullable = 'NO' and column_default is null
    and is_identity = 'NO' and is_generated = 'NEVER' as required
from information_schema.columns
where table_schema = 'public' and table_name <> 'schema_migrations'
order by table_name, ordinal_position
"""


def last_release() -> str | None:
    """Return the newest release tag, or None if there is no tag or git fails."""
    command = ["git", "tag", "--list", "v*", "--sort=-v:refname"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return next(iter(done.stdout.split()), None)


async def shape(connection: asyncpg.Connection[Any], sql: str) -> dict[str, list[str]]:
    """Return the types of a statement's parameters, and the names and types of its columns."""
    prepared = await connection.prepare(sql)
    return {
        "parameters": [parameter.name for parameter in prepared.get_parameters()],
        "columns": [f"{column.name} {column.type.name}" for column in prepared.get_attributes()],
    }


async def required_columns(connection: asyncpg.Connection[Any]) -> dict[str, list[str]]:
    """Return, for each table, the columns that every insert must name."""
    found: dict[str, list[str]] = {}
    for row in await connection.fetch(COLUMNS):
        required = found.setdefault(row["table_name"], [])
        if row["required"]:
            required.append(row["column_name"])
    return found


async def _freeze() -> None:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.endswith(".statements"):
            import_module(module.name)
    async with own_postgres() as postgres:
        url = postgres.settings()["MIGRATIONS_DATABASE_URL"]
        await migrate(url)
        connection = await asyncpg.connect(url)
        statements = {
            name: {"sql": statement.sql, **await shape(connection, statement.sql)}
            for name, statement in sorted(STATEMENTS.items())
        }
        tables = await required_columns(connection)
        await connection.close()
    kept = {"release": last_release(), "tables": tables, "statements": statements}
    FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(statements)} statements, {len(tables)} tables, release {kept['release']}")


if __name__ == "__main__":
    asyncio.run(_freeze())
