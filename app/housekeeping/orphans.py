"""Photos in the bucket that no row names: what interrupted requests and deleted accounts left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.activities import photos
from app.activities.activity import Photo
from app.housekeeping import statements
from app.postgres.query import Queryable
from app.s3 import Listed

PREFIX = "photos/"
YOUNG = timedelta(days=1)
"""Younger objects are left alone: their row may not be written yet."""


async def orphans(db: Queryable, page: Sequence[Listed], now: datetime) -> list[str]:
    """The keys among these, older than a day, that no photo has."""
    old = {one.key for one in page if one.modified_at < now - YOUNG}
    rows = await statements.photos_by_id(db, [uuid for key in old if (uuid := _photo_id(key))])
    named = {photos.key(row.user_id, Photo(row.id, row.content_type)) for row in rows}
    return sorted(old - named)


def _photo_id(key: str) -> UUID | None:
    try:
        return UUID(key.rpartition("/")[2].partition(".")[0])
    except ValueError:
        return None
