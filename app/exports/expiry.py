"""What attempts at exports that were given up have left in the bucket."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.exports.export import PREFIX
from app.s3 import Bucket

STALE = timedelta(days=1)
"""After which an upload that is not complete is nobody's any more: no attempt takes as long."""


async def take_back_stale(bucket: Bucket, now: datetime) -> None:
    """Abort the uploads that were given up with their attempt, and with their export.

    Raises:
        Unavailable: the bucket does not answer.
    """
    found = await bucket.incomplete(PREFIX)
    await bucket.take_back([one for one in found if one.begun_at < now - STALE])
