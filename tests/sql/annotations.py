"""Comparison of a statement's annotations with the types in its prepared SQL."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import NoneType, UnionType
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import psycopg

from app.postgres.statements import Query, Statement, is_struct

PYTHON_TYPES: Mapping[str, type] = {
    "bool": bool,
    "bytea": bytes,
    "date": date,
    "float8": float,
    "int2": int,
    "int4": int,
    "int8": int,
    "interval": timedelta,
    "jsonb": str,  # encoded by the caller: the pool sets no codec
    "text": str,
    "timestamptz": datetime,
    "uuid": UUID,
}
"""The Python type of each Postgres type that statements may use. `numeric` and `timestamp` are left
out on purpose: they would become a Decimal and a datetime without a zone."""

NOT_NULL: Mapping[str, frozenset[str]] = {
    # A check constraint: every dead job has a fingerprint.
    "dead_letters.dead_letter_groups": frozenset({"fingerprint"}),
    "exports.exports": frozenset({"job_id"}),  # set by the transaction that inserts the export
    "jobs.claim": frozenset({"token", "started_at"}),  # set by the statement itself
    "jobs.running_by_id": frozenset({"token"}),  # a check constraint on running jobs
    "jobs.running_on_worker": frozenset({"token"}),  # the same constraint
    "operating.running_jobs": frozenset({"worker_id", "started_at"}),  # the same constraint
    "queues.blocked_jobs": frozenset({"blocked_on"}),  # the statement excludes nulls
}
"""Nullable columns that a statement never returns as null, and why."""


@dataclass(frozen=True)
class Column:
    """A column of a result."""

    name: str
    type: str
    nullable: bool = False
    """Whether it is known to come from a nullable table column. False if computed, or of a view."""


@dataclass(frozen=True)
class Prepared:
    """A statement as Postgres describes it."""

    parameters: Sequence[str]
    columns: Sequence[Column]


async def describe(
    connection: asyncpg.Connection[Any], origins: psycopg.Connection[Any], sql: str
) -> Prepared:
    """Prepare a statement.

    Args:
        origins: a libpq connection, which, unlike asyncpg, knows the table of each result column.
    """
    prepared = await connection.prepare(sql)
    origins.pgconn.prepare(b"", sql.encode())
    described = origins.pgconn.describe_prepared(b"")
    nullable = {
        (row["table"], row["number"])
        for row in await connection.fetch(
            "select attrelid::oid as table, attnum as number from pg_attribute"
            " join pg_class on pg_class.oid = attrelid and relkind <> 'v'"
            " where attnum > 0 and not attnotnull"
        )
    }
    columns = [
        Column(
            column.name,
            column.type.name,
            (described.ftable(index), described.ftablecol(index)) in nullable,
        )
        for index, column in enumerate(prepared.get_attributes())
        if column.type.name != "void"
    ]
    return Prepared([parameter.name for parameter in prepared.get_parameters()], columns)


def mismatches(statement: Statement, prepared: Prepared) -> list[str]:
    """List every difference between a statement's annotations and its prepared SQL."""
    return [
        *_compare(
            "parameter",
            list(statement.parameters.items()),
            [Column(name, name) for name in prepared.parameters],
            arrays=(list, Sequence),
        ),
        *_compare_columns(statement, prepared.columns),
    ]


def _compare_columns(statement: Statement, columns: Sequence[Column]) -> list[str]:
    if statement.row is Query:
        return []
    if is_struct(statement.row):
        fields = msgspec.structs.fields(statement.row)
        names = [field.encode_name for field in fields]
        if names != (column_names := [column.name for column in columns]):
            return [f"fields {names} for columns {column_names}"]
        annotations = [(field.encode_name, field.type) for field in fields]
    elif statement.row is None:
        annotations = []
    else:
        row = statement.row | None if statement.optional else statement.row
        annotations = [(column.name, row) for column in columns[:1]] or [("", row)]
    not_null = NOT_NULL.get(statement.name, frozenset())
    return [
        *_compare("column", annotations, columns, arrays=(list,)),
        *(
            f"column {column.name} can be null, but {annotation} cannot"
            for (_, annotation), column in zip(annotations, columns, strict=False)
            if column.nullable and column.name not in not_null and not _split(annotation)[1]
        ),
    ]


def _compare(
    what: str,
    annotations: Sequence[tuple[str, Any]],
    columns: Sequence[Column],
    *,
    arrays: tuple[Any, ...],
) -> list[str]:
    if len(annotations) != len(columns):
        return [f"{len(annotations)} annotations for {len(columns)} {what}s"]
    return [
        f"{what} {name} is {column.type}, not {annotation}"
        for (name, annotation), column in zip(annotations, columns, strict=True)
        if not _fits(annotation, column.type, arrays)
    ]


def _fits(annotation: Any, postgres: str, arrays: tuple[Any, ...]) -> bool:
    annotation, _ = _split(annotation)
    if postgres.endswith("[]"):
        if typing.get_origin(annotation) not in arrays:
            return False
        (element,) = typing.get_args(annotation)
        return _fits(element, postgres.removesuffix("[]"), arrays)
    return PYTHON_TYPES.get(postgres) in _plain_types(annotation)


def _split(annotation: Any) -> tuple[Any, bool]:
    """Return the annotation without `| None`, and whether it had one."""
    if isinstance(annotation, UnionType) or typing.get_origin(annotation) is typing.Union:
        parts = [part for part in typing.get_args(annotation) if part is not NoneType]
        union: Any = typing.Union[tuple(parts)]  # noqa: UP007 # the parts are known only at run time
        return union, len(parts) < len(typing.get_args(annotation))
    return annotation, False


def _plain_types(annotation: Any) -> set[Any]:
    """Resolve NewType, Annotated and Literal. A Literal of mixed types gives an empty set."""
    if isinstance(annotation, typing.NewType):
        return _plain_types(annotation.__supertype__)
    if typing.get_origin(annotation) is typing.Annotated:
        return _plain_types(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is typing.Literal:
        types = {type(value) for value in typing.get_args(annotation)}
        return types if len(types) == 1 else set()
    return {annotation}
