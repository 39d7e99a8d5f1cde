"""Orphans: objects in the bucket that have no row, or no longer have one."""

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
from app.reports.statements import report_objects
from app.s3 import ListedObject

MIN_AGE = timedelta(days=1)
"""How old an object must be to count as an orphan, if it is written before its row."""


class OrphanKind(NamedTuple):
    """A kind of object that can be left without a row."""

    name: str
    prefix: str
    keys_in_use: Callable[[Queryable, Iterable[str]], Awaitable[set[str]]]
    """Return the given keys that a row refers to. The result may also contain other keys."""
    min_age: timedelta | None = MIN_AGE
    """Objects younger than this are kept. None if the row is written before the object."""

    async def orphans(
        self, db: Queryable, page: Sequence[ListedObject], now: datetime
    ) -> list[str]:
        """Return the keys of the objects on a page that are old enough and have no row."""
        old = {
            listed.key
            for listed in page
            if not self.min_age or listed.modified_at < now - self.min_age
        }
        return sorted(old - await self.keys_in_use(db, old))


async def _photo_keys_in_use(db: Queryable, keys: Iterable[str]) -> set[str]:
    rows = await photos_by_id(db, ids=_ids(keys))
    return {photos.key(row.user_id, Photo(row.id, row.content_type)) for row in rows}


async def _export_keys_in_use(db: Queryable, keys: Iterable[str]) -> set[str]:
    rows = await export_objects(db, ids=_ids(keys))
    return {object_key(row.user_id, row.id, row.format) for row in rows}


async def _report_keys_in_use(db: Queryable, keys: Iterable[str]) -> set[str]:
    months = {parsed for key in keys if (parsed := report.parse_key(key))}
    rows = await report_objects(
        db, user_ids=[user_id for user_id, _ in months], months=[month for _, month in months]
    )
    return {report.key(row.user_id, row.month, row.object_id) for row in rows}


def _ids(keys: Iterable[str]) -> list[UUID]:
    """Return the ids in the file names of these keys. File names that are not ids are skipped."""
    return [id for key in keys if (id := _parse_id(key.rpartition("/")[2].partition(".")[0]))]


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


ORPHAN_KINDS = (
    OrphanKind("photos", "photos/", _photo_keys_in_use),
    OrphanKind("export_files", export.PREFIX, _export_keys_in_use, min_age=None),
    OrphanKind("report_files", report.PREFIX, _report_keys_in_use),
)
