"""Objects in the bucket that no row names: what interrupted attempts left, and what expired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.activities import photos
from app.activities.activity import Photo
from app.cleanup.statements import photos_by_id
from app.exports import export
from app.exports.formats import object_key
from app.exports.statements import export_objects
from app.postgres.statements import Queryable
from app.reports import report
from app.reports.statements import named_objects
from app.s3 import Listed

YOUNG = timedelta(days=1)
"""Younger objects are left alone where their row is written after them."""


class Walk(NamedTuple):
    """The objects of one kind, and which of them have a row."""

    what: str
    prefix: str
    named: Callable[[Queryable, Iterable[str]], Awaitable[set[str]]]
    """The keys that rows name, of these and perhaps of others."""
    spare: timedelta | None = YOUNG
    """Objects younger than that stay; None: an object's row is there before it."""

    async def orphans(self, db: Queryable, page: Sequence[Listed], now: datetime) -> list[str]:
        """The keys among these objects that no row names, the young ones aside."""
        old = {one.key for one in page if not self.spare or one.modified_at < now - self.spare}
        return sorted(old - await self.named(db, old))


async def _named_photos(db: Queryable, keys: Iterable[str]) -> set[str]:
    rows = await photos_by_id(db, ids=_ids(keys))
    return {photos.key(row.user_id, Photo(row.id, row.content_type)) for row in rows}


async def _named_exports(db: Queryable, keys: Iterable[str]) -> set[str]:
    rows = await export_objects(db, ids=_ids(keys))
    return {object_key(row.user_id, row.id, row.format) for row in rows}


async def _named_reports(db: Queryable, keys: Iterable[str]) -> set[str]:
    asked = {named for key in keys if (named := report.named_by(key))}
    rows = await named_objects(
        db, user_ids=[user for user, _ in asked], months=[month for _, month in asked]
    )
    return {report.key(row.user_id, row.month, row.object_id) for row in rows}


def _ids(keys: Iterable[str]) -> list[UUID]:
    """The ids that the last parts of these keys are, without their endings."""
    return [found for key in keys if (found := _id(key.rpartition("/")[2].partition(".")[0]))]


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


WALKS = (
    Walk("photos", "photos/", _named_photos),
    Walk("export_files", export.PREFIX, _named_exports, spare=None),
    Walk("report_files", report.PREFIX, _named_reports),
)
