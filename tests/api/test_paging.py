"""Cursors and pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.api.paging import page
from app.errors import Invalid
from app.web.cursors import after_cursor, cursor_of

KEY = (datetime(2026, 11, 24, 12, 30, 0, 123456, tzinfo=UTC), UUID(int=7))
SHAPE: Any = tuple[datetime, UUID]


def test_a_cursor_is_read_back_as_the_key_that_made_it() -> None:
    assert after_cursor(cursor_of(KEY), SHAPE) == KEY


def test_no_cursor_is_the_beginning() -> None:
    assert after_cursor(None, SHAPE) is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "***",
        "é",
        "AAAA",
        cursor_of(KEY)[:-2],
        cursor_of(KEY + KEY),
        cursor_of((1, 2)),
        cursor_of((KEY[1], KEY[0])),
        cursor_of(("2026-11-24T12:30:00", str(KEY[1]))),
        cursor_of(("9999-12-31T23:59:59-12:00", str(KEY[1]))),
        cursor_of(("0001-01-01T00:00:00+12:00", str(KEY[1]))),
    ],
)
def test_anything_else_is_invalid(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        after_cursor(cursor, SHAPE)
    assert refused.value.field == "cursor"


def test_a_nul_in_a_forged_cursor_is_invalid() -> None:
    with pytest.raises(Invalid):
        after_cursor(cursor_of(("a\0b",)), tuple[str])


def test_a_page_that_is_not_the_last_ends_with_a_cursor() -> None:
    full = page([1, 2, 3], 2, key=lambda row: (row,))
    assert (full.items, after_cursor(full.next_cursor, tuple[int])) == ([1, 2], (2,))


def test_the_last_page_ends_with_none() -> None:
    assert page([1, 2], 2, key=lambda row: (row,)).next_cursor is None
    assert page([], 2, key=lambda row: (row,)).next_cursor is None
