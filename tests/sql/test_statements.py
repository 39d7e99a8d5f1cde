"""Every statement, held against the migrated schema and against its signature."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import msgspec
import pytest

import app
from app.postgres.database import Database
from app.postgres.statements import FOLDER, STATEMENTS, Query, Statement, is_struct

for module in pkgutil.walk_packages(app.__path__, "app."):
    if module.name.endswith(".statements"):
        import_module(module.name)


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
async def test_a_statement_prepares_and_fits_its_signature(
    statement: Statement, database: Database
) -> None:
    async with database.pool.acquire() as connection:
        prepared = await connection.prepare(statement.sql)
        parameters = len(prepared.get_parameters())
        attributes = prepared.get_attributes()
    columns = [column.name for column in attributes if column.type.name != "void"]
    assert len(statement.parameters) == parameters
    if is_struct(statement.row):
        assert [field.encode_name for field in msgspec.structs.fields(statement.row)] == columns
    elif statement.row is not Query:
        assert (0 if statement.row is None else 1) == len(columns)


def test_every_statement_in_the_files_has_a_signature() -> None:
    written = {
        f"{file.stem}.{name}"
        for file in FOLDER.glob("*.sql")
        for name in re.findall(r"^-- name: (\w+)", file.read_text(), re.MULTILINE)
    }
    assert written == set(STATEMENTS)
