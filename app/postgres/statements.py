"""Typed statements: SQL from `sql/queries/<noun>.sql` behind Python functions of the same name.

    @statement("users")
    async def user_by_email(db: Queryable, email: str) -> User | None: ...

The file holds `-- name: user_by_email`, a line that says what the statement promises, and the SQL
with parameters as `:email`. The return annotation decides how the answer is read: a struct is one
row that must exist, `struct | None` one that may, `list[struct]` all; the same for a plain type,
which is the first column; `None` runs the statement and reads nothing. What is too long for a list
is a `@query`, which only names the SQL and its arguments.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ParamSpec, Protocol, TypeVar

import asyncpg
import msgspec

P = ParamSpec("P")
R = TypeVar("R")

FOLDER = Path(__file__).parents[2] / "sql" / "queries"

_HEADER = re.compile(r"^-- name: (\w+)\n((?:--.*\n)+)", re.MULTILINE)
_PARAMETER = re.compile(r"('(?:[^']|'')*'|--[^\n]*|::\w+)|(?<![:\w]):([a-z_]\w*)")


class Queryable(Protocol):
    """What a statement runs on: a pool, a connection or an open transaction."""

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]: ...
    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 # as asyncpg
    ) -> asyncpg.Record | None: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...
    async def execute(self, query: str, *args: Any) -> str: ...


class StatementError(Exception):
    """A signature and its SQL do not fit: found when the module is imported."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it is prepared: the test of all statements compares it with the database."""

    name: str
    sql: str
    parameters: tuple[str, ...]
    row: Any
    """The struct or plain type of a row; None when nothing is read, Query when it is in pieces."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with its arguments, for a reader that takes it piece by piece."""

    sql: str
    args: tuple[Any, ...]


STATEMENTS: dict[str, Statement] = {}


def statement(
    noun: str, *, timeout: float | None = None
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Give a signature the SQL of its name from `sql/queries/<noun>.sql`.

    Args:
        timeout: seconds that a statement of one row may take, where the pool's limit is too short.

    Raises:
        StatementError: there is no such statement, or its parameters have other names.
    """

    def decorate(signature: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        name = signature.__name__
        parameters = tuple(inspect.signature(signature).parameters)[1:]
        shape = typing.get_type_hints(signature)["return"]
        many, optional, row = _shape(shape)
        sql = _numbered(f"{noun}.{name}", _statements(noun), name, parameters)
        STATEMENTS[f"{noun}.{name}"] = Statement(f"{noun}.{name}", sql, parameters, row)
        order = inspect.signature(signature)

        if row is None:
            run = _execute(sql)
        elif many:
            run = _fetch(sql, row)
        else:
            run = _fetch_one(sql, row, timeout, optional=optional, name=name)

        @wraps(signature)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if kwargs:
                args = order.bind(*args, **kwargs).args  # type: ignore[assignment] # bound by P
            return typing.cast("R", await run(*args))

        return call

    return decorate


def query(noun: str) -> Callable[[Callable[P, Query]], Callable[P, Query]]:
    """Give a signature the SQL of its name from `sql/queries/<noun>.sql`, to be read in pieces.

    Raises:
        StatementError: there is no such statement, or its parameters have other names.
    """

    def decorate(signature: Callable[P, Query]) -> Callable[P, Query]:
        name, order = signature.__name__, inspect.signature(signature)
        parameters = tuple(order.parameters)
        sql = _numbered(f"{noun}.{name}", _statements(noun), name, parameters)
        STATEMENTS[f"{noun}.{name}"] = Statement(f"{noun}.{name}", sql, parameters, Query)

        @wraps(signature)
        def call(*args: P.args, **kwargs: P.kwargs) -> Query:
            return Query(sql, order.bind(*args, **kwargs).args)

        return call

    return decorate


def _shape(shape: Any) -> tuple[bool, bool, Any]:
    if shape is NoneType or shape is None:
        return False, False, None
    if typing.get_origin(shape) is list:
        return True, False, typing.get_args(shape)[0]
    if isinstance(shape, UnionType) or typing.get_origin(shape) is typing.Union:
        (row,) = (part for part in typing.get_args(shape) if part is not NoneType)
        return False, True, row
    return False, False, shape


def is_struct(row: Any) -> bool:
    """Whether a row is read into a struct, and not as its first column."""
    return isinstance(row, type) and issubclass(row, msgspec.Struct)


def _execute(sql: str) -> Callable[..., Awaitable[Any]]:
    async def run(db: Queryable, *args: Any) -> None:
        await db.execute(sql, *args)

    return run


def _fetch(sql: str, row: Any) -> Callable[..., Awaitable[Any]]:
    if is_struct(row):

        async def run(db: Queryable, *args: Any) -> list[Any]:
            return [row(**record) for record in await db.fetch(sql, *args)]

    else:

        async def run(db: Queryable, *args: Any) -> list[Any]:
            return [record[0] for record in await db.fetch(sql, *args)]

    return run


def _fetch_one(
    sql: str, row: Any, timeout: float | None, *, optional: bool, name: str
) -> Callable[..., Awaitable[Any]]:
    struct = is_struct(row)

    async def run(db: Queryable, *args: Any) -> Any:
        record = await db.fetchrow(sql, *args, timeout=timeout)
        if record is None:
            if optional:
                return None
            raise LookupError(f"{name} gave no row")
        return row(**record) if struct else record[0]

    return run


@cache
def _statements(noun: str) -> dict[str, str]:
    """The statements of a file by name, without their comments."""
    text = (FOLDER / f"{noun}.sql").read_text()
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    return {
        header[1]: text[header.end() : end].strip().rstrip(";")
        for header, end in zip(headers, ends, strict=True)
    }


def _numbered(full_name: str, found: dict[str, str], name: str, parameters: tuple[str, ...]) -> str:
    """Turn `:email` into `$1`, by the order of the signature."""
    if name not in found:
        raise StatementError(
            f"no statement {full_name}: is there a `-- name: {name}` with a comment?"
        )
    used: set[str] = set()

    def number(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        used.add(match[2])
        if match[2] not in parameters:
            raise StatementError(f"{full_name}: :{match[2]} is no parameter of the signature")
        return f"${parameters.index(match[2]) + 1}"

    sql = _PARAMETER.sub(number, found[name])
    if unused := set(parameters) - used:
        raise StatementError(f"{full_name}: {', '.join(sorted(unused))} not used by the statement")
    return sql
