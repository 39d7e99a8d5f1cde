"""What is left in the bucket of exports that are over: expired, deleted, or never finished."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.exports import statements
from app.exports.export import PREFIX, key
from app.postgres.query import Queryable
from app.s3 import Bucket, Listed

STALE = timedelta(days=1)
"""After which an upload that is not complete is nobody's any more: no attempt takes as long."""


async def unwanted(db: Queryable, page: Sequence[Listed]) -> list[str]:
    """The keys among these that no export has. One that is being made has its own already."""
    keys = {one.key for one in page}
    rows = await statements.named_exports(db, [uuid for key in keys if (uuid := _export_id(key))])
    return sorted(keys - {key(row.user_id, row.id, row.format) for row in rows})


async def take_back_stale(bucket: Bucket, now: datetime) -> None:
    """Abort the uploads that were given up with their attempt, and with their export.

    Raises:
        Unavailable: the bucket does not answer.
    """
    found = await bucket.incomplete(PREFIX)
    await bucket.take_back([one for one in found if one.begun_at < now - STALE])


def _export_id(object_key: str) -> UUID | None:
    try:
        return UUID(object_key.rpartition("/")[2].partition(".")[0])
    except ValueError:
        return None
