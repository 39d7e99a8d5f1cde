"""The marker in the bucket: the id of the database that the bucket's objects belong to.

Without it, a worker that is given the wrong bucket or the wrong database would find no row for any
object, and the cleanup would remove them all.
"""

from __future__ import annotations

from uuid import UUID

from app.errors import Conflict, NotFound
from app.s3 import Bucket

KEY = "database-id.txt"
MAX_CHARACTERS = 100
"""How much of a marker that we did not write is quoted."""


async def require_own_bucket(bucket: Bucket, ours: UUID) -> bool:
    """Check that the bucket belongs to this database. A bucket without a marker gets one.

    Args:
        ours: the id of this database.

    Returns:
        Whether the bucket has just been marked.

    Raises:
        Conflict: the bucket belongs to another database.
        Unavailable: the bucket is unavailable.
    """
    theirs = await _read(bucket)
    if theirs is None:
        await _write(bucket, ours)
        return True
    if theirs != str(ours):
        raise Conflict(
            f"The bucket {bucket.name} belongs to database {theirs}, but this is database {ours}:"
            " check S3_BUCKET and DATABASE_URL. If both are right, run"
            " `python -m app bucket adopt`."
        )
    return False


async def adopt(bucket: Bucket, ours: UUID) -> str | None:
    """Mark the bucket as this database's. Return what it was marked as, if it was marked.

    Raises:
        Unavailable: the bucket is unavailable.
    """
    theirs = await _read(bucket)
    await _write(bucket, ours)
    return theirs


async def _read(bucket: Bucket) -> str | None:
    try:
        text = (await bucket.read(KEY)).decode("utf-8", "replace").strip()
    except NotFound:
        return None
    return "".join(filter(str.isprintable, text))[:MAX_CHARACTERS]


async def _write(bucket: Bucket, ours: UUID) -> None:
    await bucket.put(KEY, f"{ours}\n".encode(), "text/plain")
