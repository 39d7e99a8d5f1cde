"""Cursors and pages of lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.api.paging import page_of
from app.errors import Invalid
from app.web.cursors import decode_cursor, encode_cursor

KEY = (datetime(2026, 11, 24, 12, 30, 0, 123456, tzinfo=UTC), UUID(int=7))
KEY_TYPE: Any = tuple[datetime, UUID]


def test_cursor_is_decoded_to_its_key() -> None:
    assert decode_cursor(encode_cursor(KEY), KEY_TYPE) == KEY


def test_missing_cursor_is_decoded_as_none() -> None:
    assert decode_cursor(None, KEY_TYPE) is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "***",
        "é",
        "AAAA",
        encode_cursor(KEY)[:-2],
        encode_cursor(KEY + KEY),
        encode_cursor((1, 2)),
        encode_cursor((KEY[1], KEY[0])),
        encode_cursor(("2026-11-24T12:30:00", str(KEY[1]))),
        encode_cursor(("9999-12-31T23:59:59-12:00", str(KEY[1]))),
        encode_cursor(("0001-01-01T00:00:00+12:00", str(KEY[1]))),
    ],
)
def test_malformed_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_cursor(cursor, KEY_TYPE)
    assert refused.value.field == "cursor"


def test_nul_in_a_forged_cursor_is_refused() -> None:
    with pytest.raises(Invalid):
        decode_cursor(encode_cursor(("a\0b",)), tuple[str])


def test_page_before_the_last_has_a_next_cursor() -> None:
    full = page_of([1, 2, 3], 2, key=lambda row: (row,))
    assert (full.items, decode_cursor(full.next_cursor, tuple[int])) == ([1, 2], (2,))


def test_last_page_has_no_next_cursor() -> None:
    assert page_of([1, 2], 2, key=lambda row: (row,)).next_cursor is None
    assert page_of([], 2, key=lambda row: (row,)).next_cursor is None
