"""Lists by keyset: a page ends with a cursor, which is the sort key of its last item.

K = tuple[datetime, ActivityId]

after = after_cursor(cursor, K)
rows = await listing.page(database, me.id, wanted, position, limit + 1)
return page(rows, limit, key=lambda row: (row.started_at, row.id))
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter
from msgspec import Struct

from app.errors import Invalid

T = TypeVar("T")
K = TypeVar("K", bound=tuple[Any, ...])

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="How many items a page holds.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=500, description="`next_cursor` of the page before.")
]
DEFAULT_LIMIT = 50


class Page(Struct, Generic[T], frozen=True):
    """Part of a list. `next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None


def page(rows: Sequence[T], limit: int, key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """Make a page of rows of which one more than `limit` was asked for."""
    items = list(rows[:limit])
    return Page(items, cursor_of(key(items[-1])) if len(rows) > limit else None)


def cursor_of(key: tuple[Any, ...]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def after_cursor(cursor: str | None, shape: type[K]) -> K | None:
    """Read the sort key that a cursor stands for; None at the beginning of a list.

    Raises:
        Invalid: it is no cursor of such a list.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key: K = msgspec.json.decode(urlsafe_b64decode(padded.encode()), type=shape)
        for part in key:
            _refuse_unstorable(part)
    except (msgspec.DecodeError, binascii.Error, ValueError, OverflowError, RecursionError):
        raise Invalid("This is not a cursor of this list.", field="cursor") from None
    return key


def _refuse_unstorable(part: object) -> None:
    """A forged key may hold what Postgres has no value for.

    Raises:
        ValueError, OverflowError: it does.
    """
    if isinstance(part, datetime):
        if part.tzinfo is None:
            raise ValueError("a time without a zone")
        part.astimezone(UTC)
    if isinstance(part, str) and "\0" in part:
        raise ValueError("a NUL")
