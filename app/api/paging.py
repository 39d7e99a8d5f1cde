"""Keyset pagination: each page but the last has a cursor, which is the sort key of its last item.

after = decode_cursor(cursor, tuple[JobId])
rows = await jobs.list_jobs(database, filters, after[0] if after else None, limit + 1)
return page_of(rows, limit, key=lambda last: (last.id,))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from litestar.params import QueryParameter
from msgspec import Struct

from app.web.cursors import encode_cursor

FIRST_DAY = QueryParameter(name="from", description="The first day, in UTC.")
LAST_DAY = QueryParameter(name="to", description="The last day, in UTC.")
ACTIVITY_TYPE = QueryParameter(name="type", description="Only activities of this type.")

T = TypeVar("T")

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Items per page.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=500, description="`next_cursor` of the previous page.")
]
DEFAULT_LIMIT = 50


class Page(Struct, Generic[T], frozen=True):
    """Part of a list. `next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None


def page_of(rows: Sequence[T], limit: int, key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """Make a page from up to `limit + 1` rows. The extra row only shows that another page follows.

    Args:
        key: returns the sort key of a row.
    """
    items = list(rows[:limit])
    return Page(items, encode_cursor(key(items[-1])) if len(rows) > limit else None)
