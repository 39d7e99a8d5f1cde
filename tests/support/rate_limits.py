"""Helpers for tests of what Redis counts against rate limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.redis import Redis

MICROSECOND = timedelta(microseconds=1)


async def shift_counts(redis: Redis, pattern: str, by: timedelta) -> None:
    """Move everything counted under these keys back in time."""
    connection: Any = redis
    for key in await connection.keys(pattern):
        for at, time_us in enumerate(await connection.lrange(key, 0, -1)):
            await connection.lset(key, at, str(int(time_us) - by // MICROSECOND))


async def counted_times(redis: Redis, key: str) -> list[timedelta]:
    """Return when the actions under a key were counted, oldest first, by Redis's clock."""
    connection: Any = redis
    return [
        timedelta(microseconds=int(time_us))
        for time_us in reversed(await connection.lrange(key, 0, -1))
    ]
