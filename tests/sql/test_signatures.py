"""Signatures are matched with their SQL at import, and bind keyword arguments."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from app.exports.statements import activities_csv
from app.postgres.statements import Query, StatementError, query
from app.users.user import UserId

SAM = UserId(UUID(int=1))
FILTERS = {"user_id": SAM, "first": None, "last": None, "type": None}


def declare(noun: str, signature: Any) -> None:
    query(noun)(signature)


def test_signature_without_sql_is_refused() -> None:
    def no_such_statement() -> Query:
        raise NotImplementedError

    with pytest.raises(StatementError, match=r"no statement exports\.no_such_statement"):
        declare("exports", no_such_statement)


def test_parameter_that_the_sql_does_not_use_is_refused() -> None:
    def activities_csv(*, user_id: UUID, first: date, last: date, type: str, color: str) -> Query:
        raise NotImplementedError

    with pytest.raises(StatementError, match="does not use color"):
        declare("exports", activities_csv)


def test_sql_parameter_that_is_missing_from_the_signature_is_refused() -> None:
    def activities_csv(*, user_id: UUID) -> Query:
        raise NotImplementedError

    with pytest.raises(StatementError, match="no parameter first"):
        declare("exports", activities_csv)


def test_positional_parameter_is_refused() -> None:
    def activities_csv(user_id: UUID, *, first: date, last: date, type: str) -> Query:
        raise NotImplementedError

    with pytest.raises(StatementError, match="user_id must be keyword-only"):
        declare("exports", activities_csv)


def test_parameter_with_a_default_is_refused() -> None:
    def activities_csv(*, user_id: UUID, first: date, last: date, type: str | None = None) -> Query:
        raise NotImplementedError

    with pytest.raises(StatementError, match="type must be keyword-only, without a default"):
        declare("exports", activities_csv)


def test_arguments_are_ordered_by_the_signature_and_not_by_the_call() -> None:
    bound = activities_csv(type="run", last=None, first=date(2026, 1, 1), user_id=SAM)
    assert bound.args == (SAM, date(2026, 1, 1), None, "run")


@pytest.mark.parametrize("arguments", [{}, {"user_id": SAM}, {**FILTERS, "color": "red"}])
def test_missing_and_unknown_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(
        TypeError, match=r"exports\.activities_csv takes user_id, first, last, type"
    ):
        activities_csv(**arguments)
