"""Every statement can be prepared on the migrated schema and matches its signature."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, Literal, NewType
from uuid import UUID

import asyncpg
import psycopg
import pytest
from msgspec import Struct

import app
from app.postgres.statements import FOLDER, STATEMENTS, Statement
from tests.sql.annotations import NOT_NULL, Column, Prepared, describe, mismatches

for module in pkgutil.walk_packages(app.__path__, "app."):
    if module.name.endswith(".statements"):
        import_module(module.name)


@pytest.fixture(scope="module")
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def origins(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        yield connection


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
async def test_statement_matches_its_signature(
    statement: Statement,
    connection: asyncpg.Connection[Any],
    origins: psycopg.Connection[Any],
) -> None:
    assert mismatches(statement, await describe(connection, origins, statement.sql)) == []


def test_every_statement_in_the_files_has_a_signature() -> None:
    written = {
        f"{file.stem}.{name}"
        for file in FOLDER.glob("*.sql")
        for name in re.findall(r"^-- name: (\w+)", file.read_text(), re.MULTILINE)
    }
    assert written == set(STATEMENTS)


async def test_every_listed_nullability_exception_is_needed(
    connection: asyncpg.Connection[Any], origins: psycopg.Connection[Any]
) -> None:
    for name, columns in NOT_NULL.items():
        prepared = await describe(connection, origins, STATEMENTS[name].sql)
        assert columns <= {column.name for column in prepared.columns if column.nullable}, name


Id = NewType("Id", UUID)


class Row(Struct):
    id: Id
    kind: str
    state: Literal["queued", "running"]
    attempt: int
    token: UUID | None
    run_at: datetime


RIGHT = Statement(
    "tests.jobs_of_kinds",
    "select id, kind, state, attempt, token, run_at from jobs"
    " where kind = any($1::text[]) and id <> $2 and run_at < $3",
    {"kinds": list[str], "id": Id | None, "before": datetime},
    Row,
)


class IntId(Struct):
    id: int
    kind: str
    state: str
    attempt: int
    token: UUID | None
    run_at: datetime


class RequiredToken(Struct):
    id: UUID
    kind: str
    state: str
    attempt: int
    token: UUID
    run_at: datetime


class FewerFields(Struct):
    id: UUID
    kind: str


@pytest.mark.parametrize(
    ("wrong", "difference"),
    [
        (
            replace(RIGHT, parameters={**RIGHT.parameters, "id": str}),
            "parameter id is uuid, not <class 'str'>",
        ),
        (
            replace(RIGHT, parameters={**RIGHT.parameters, "kinds": list[int]}),
            "parameter kinds is text[], not list[int]",
        ),
        (
            replace(RIGHT, parameters={**RIGHT.parameters, "kinds": str}),
            "parameter kinds is text[], not <class 'str'>",
        ),
        (
            replace(RIGHT, parameters={**RIGHT.parameters, "before": timedelta | None}),
            "parameter before is timestamptz, not datetime.timedelta | None",
        ),
        (
            replace(RIGHT, parameters={"kinds": list[str], "before": datetime}),
            "2 annotations for 3 parameters",
        ),
        (replace(RIGHT, row=IntId), "column id is uuid, not <class 'int'>"),
        (
            replace(RIGHT, row=RequiredToken),
            "column token can be null, but <class 'uuid.UUID'> cannot",
        ),
        (
            replace(RIGHT, row=FewerFields),
            f"fields ['id', 'kind'] for columns {list(Row.__struct_fields__)}",
        ),
        (replace(RIGHT, row=UUID), "1 annotations for 6 columns"),
        (replace(RIGHT, row=None), "0 annotations for 6 columns"),
    ],
)
async def test_wrong_annotation_is_found(
    wrong: Statement,
    difference: str,
    connection: asyncpg.Connection[Any],
    origins: psycopg.Connection[Any],
) -> None:
    prepared = await describe(connection, origins, RIGHT.sql)
    assert mismatches(RIGHT, prepared) == []
    assert mismatches(wrong, prepared) == [difference]


@pytest.mark.parametrize(
    ("row", "optional", "column", "differences"),
    [
        (int, False, Column("attempt", "int4"), []),
        (
            float,
            False,
            Column("attempt", "int4"),
            ["column attempt is int4, not <class 'float'>"],
        ),
        (
            bool,
            False,
            Column("attempt", "int4"),
            ["column attempt is int4, not <class 'bool'>"],
        ),
        (
            datetime,
            False,
            Column("day", "date"),
            ["column day is date, not <class 'datetime.datetime'>"],
        ),
        (
            datetime,
            False,
            Column("at", "timestamp"),
            ["column at is timestamp, not <class 'datetime.datetime'>"],
        ),
        (
            float,
            False,
            Column("sum", "numeric"),
            ["column sum is numeric, not <class 'float'>"],
        ),
        (str, True, Column("error", "text", nullable=True), []),
        (
            str,
            False,
            Column("error", "text", nullable=True),
            ["column error can be null, but <class 'str'> cannot"],
        ),
        (list[UUID], False, Column("ids", "uuid[]"), []),
        (
            Sequence[UUID],
            False,
            Column("ids", "uuid[]"),
            ["column ids is uuid[], not collections.abc.Sequence[uuid.UUID]"],
        ),
    ],
)
def test_type_of_a_single_value_is_compared_with_its_column(
    row: Any, optional: bool, column: Column, differences: list[str]
) -> None:
    statement = Statement("tests.one_column", "", {}, row, optional)
    assert mismatches(statement, Prepared([], [column])) == differences
