"""Lists by keyset: a page ends with a cursor, which is the sort key of its last item.

K = tuple[datetime, ActivityId]

after = after_cursor(cursor, K)
rows = await listing.page(database, me.id, wanted, position, limit + 1)
return page(rows, limit, key=lambda row: (row.started_at, row.id))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from litestar.params import QueryParameter
from msgspec import Struct

from app.web.cursors import cursor_of

FROM = QueryParameter(name="from", description="The first day, in UTC.")
TO = QueryParameter(name="to", description="The last day, in UTC.")
TYPE = QueryParameter(name="type")


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


def page(rows: Sequence[T], limit: int, key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """Make a page of rows of which one more than `limit` was asked for."""
    items = list(rows[:limit])
    return Page(items, cursor_of(key(items[-1])) if len(rows) > limit else None)
