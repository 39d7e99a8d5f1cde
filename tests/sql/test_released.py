"""The code of the last release runs on the schema of today: a deploy migrates first.

A failure means that a migration takes away, renames or retypes what that code uses, or demands what
it does not write. A check constraint that became narrower is not found here. As long as nothing is
released, `just freeze` is the answer; afterwards, another migration is.
"""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from app.transaction import Database
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


def test_what_is_kept_is_of_the_last_release() -> None:
    assert last_release() in {None, RELEASED["release"]}
