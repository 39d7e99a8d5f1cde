"""Objects in the bucket that no row names: what interrupted requests left, and what expired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.activities import photos
from app.activities.activity import Photo
from app.exports.expiry import unwanted
from app.exports.export import PREFIX as EXPORTS
from app.housekeeping import statements
from app.postgres.query import Queryable
from app.s3 import Listed

YOUNG = timedelta(days=1)
"""Younger objects are left alone: their row may not be written yet."""


class Walk(NamedTuple):
    """The objects of one kind, and how those are found that are to go."""

    what: str
    prefix: str
    orphans: Callable[[Queryable, Sequence[Listed], datetime], Awaitable[list[str]]]


async def orphans(db: Queryable, page: Sequence[Listed], now: datetime) -> list[str]:
    """The keys among these photos, older than a day, that no row has."""
    old = {one.key for one in page if one.modified_at < now - YOUNG}
    rows = await statements.photos_by_id(db, [uuid for key in old if (uuid := _photo_id(key))])
    named = {photos.key(row.user_id, Photo(row.id, row.content_type)) for row in rows}
    return sorted(old - named)


def _photo_id(key: str) -> UUID | None:
    try:
        return UUID(key.rpartition("/")[2].partition(".")[0])
    except ValueError:
        return None


async def _unwanted_exports(db: Queryable, page: Sequence[Listed], _: datetime) -> list[str]:
    return await unwanted(db, page)


WALKS = (
    Walk("photos", "photos/", orphans),
    Walk("export_files", EXPORTS, _unwanted_exports),
)
