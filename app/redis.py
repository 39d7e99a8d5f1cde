"""The only file that opens Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import redis.asyncio
from redis import exceptions

from app.errors import TooOld

Redis: TypeAlias = redis.asyncio.Redis

OLDEST = (6, 2)
"""The first Redis with ZMSCORE."""

OUTAGES = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.ResponseError,  # full, busy, cannot persist: told in as many words as versions
)
"""What the client raises while the server is away, frozen, loading, full or a replica."""


@asynccontextmanager
async def open_redis(url: str, *, socket_timeout: float = 3) -> AsyncIterator[Redis]:
    """A client that connects when it is first used, so that it can be opened while Redis is away.

    A frozen server is an error after `socket_timeout` seconds; nothing is retried behind the
    caller's back, since the relay and the loops do that with the state at hand.
    """
    client: Redis = redis.asyncio.Redis.from_url(
        url,
        socket_timeout=socket_timeout,
        socket_connect_timeout=2,
        socket_keepalive=True,
        health_check_interval=15,
        client_name="activelog",
    )
    try:
        yield client
    finally:
        await client.aclose(close_connection_pool=True)


async def require_version(client: Redis) -> None:
    """Refuse a Redis that is too old for the scripts, if it answers at all.

    Raises:
        TooOld: its version is below `OLDEST`.
    """
    try:
        info = await client.info("server")
    except OUTAGES:
        return
    version = str(info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise TooOld(
            f"Redis {version} is too old: {'.'.join(map(str, OLDEST))} or newer is required"
        )
