"""The code of the last release runs on the schema of today, and on that before the last migration
as on that after it: a deploy migrates first.

A failure means that a migration takes away, renames or retypes what that code uses, or demands what
it does not write. A check constraint that became narrower is not found here. As long as nothing is
released, `just freeze` is the answer; afterwards, another migration is.
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
async def test_a_statement_of_the_last_release_finds_what_it_found_then(
    name: str, database: Database
) -> None:
    then = STATEMENTS[name]
    async with database.pool.acquire() as connection:
        now = await shape(connection, then["sql"])  # type: ignore[arg-type] # a proxy of one
    assert {key: then[key] for key in now} == now


async def test_no_insert_of_the_last_release_lacks_a_column(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    required = await required_columns(connection)
    await connection.close()
    for table, columns in RELEASED["tables"].items():
        assert set(required[table]) <= set(columns), table


async def test_the_last_migration_takes_nothing_from_the_code_before_it(
    empty_database: str,
) -> None:
    """Whatever can be prepared without it is prepared alike with it, and inserts need no more.

    Before the first release a migration may say that it is incompatible.
    """
    if max(MIGRATIONS.glob("*.sql")).read_text().startswith("-- incompatible:"):
        assert RELEASED["release"] is None
        return
    await migrate(empty_database)
    await migrate(empty_database, "down")
    shapes_before, required_before = await _found_in(empty_database)
    await migrate(empty_database)
    shapes_after, required_after = await _found_in(empty_database)
    assert len(shapes_before) > len(STATEMENTS) / 2
    assert {name: shapes_after.get(name) for name in shapes_before} == shapes_before
    for table, columns in required_before.items():
        assert set(required_after[table]) <= set(columns), table


async def _found_in(url: str) -> tuple[dict[str, dict[str, list[str]]], dict[str, list[str]]]:
    """The shapes of the statements that this schema can run, and the columns inserts must name."""
    connection = await asyncpg.connect(url)
    shapes = {}
    for name, statement in STATEMENTS.items():
        with suppress(asyncpg.PostgresError):
            shapes[name] = await shape(connection, statement["sql"])
    required = await required_columns(connection)
    await connection.close()
    return shapes, required


def test_what_is_kept_is_of_the_last_release() -> None:
    assert last_release() in {None, RELEASED["release"]}
