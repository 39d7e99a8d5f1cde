"""The last release's code can run on the current schema, as it must: a deploy migrates first.

The schemas before and after the last migration are also compared.

A failure of any test but the last means that a migration drops, renames or retypes something that
the code uses, or requires a column that the code does not write. A stricter check constraint is not
detected here. Until the first release, fix such a failure with `just freeze`; after that, with
another migration.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from app.postgres.database import Database
from app.postgres.migrations import FOLDER as MIGRATIONS
from app.postgres.migrations import migrate
from tests.sql.freeze import FILE, last_release, required_columns, shape

RELEASED: dict[str, Any] = json.loads(FILE.read_text())
STATEMENTS: dict[str, dict[str, Any]] = RELEASED["statements"]


@pytest.mark.parametrize("name", STATEMENTS)
async def test_released_statement_keeps_its_parameters_and_columns(
    name: str, database: Database
) -> None:
    released = STATEMENTS[name]
    async with database.pool.acquire() as connection:
        current = await shape(connection, released["sql"])  # type: ignore[arg-type] # a proxy
    assert {key: released[key] for key in current} == current


async def test_no_column_has_become_required_since_the_release(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    required = await required_columns(connection)
    await connection.close()
    for table, columns in RELEASED["tables"].items():
        assert set(required[table]) <= set(columns), table


async def test_last_migration_keeps_what_the_released_code_uses(empty_database: str) -> None:
    """Statements that the old schema can run keep their shapes, and inserts need no new column.

    Before the first release, a migration may state that it is incompatible.
    """
    if max(MIGRATIONS.glob("*.sql")).read_text().startswith("-- incompatible:"):
        assert RELEASED["release"] is None
        return
    await migrate(empty_database)
    await migrate(empty_database, "down")
    shapes_before, required_before = await _shapes_and_required_columns(empty_database)
    await migrate(empty_database)
    shapes_after, required_after = await _shapes_and_required_columns(empty_database)
    assert len(shapes_before) > len(STATEMENTS) / 2
    assert {name: shapes_after.get(name) for name in shapes_before} == shapes_before
    for table, columns in required_before.items():
        assert set(required_after[table]) <= set(columns), table


async def _shapes_and_required_columns(
    url: str,
) -> tuple[dict[str, dict[str, list[str]]], dict[str, list[str]]]:
    """Return the shapes of the statements that this schema can run, and the required columns."""
    connection = await asyncpg.connect(url)
    shapes = {}
    for name, statement in STATEMENTS.items():
        with suppress(asyncpg.PostgresError):
            shapes[name] = await shape(connection, statement["sql"])
    required = await required_columns(connection)
    await connection.close()
    return shapes, required


def test_frozen_statements_are_from_the_last_release() -> None:
    assert last_release() in {None, RELEASED["release"]}
