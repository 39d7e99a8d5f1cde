"""The Redis client, and what it raises during an outage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import redis.asyncio
from redis import exceptions
from redis.commands.core import AsyncScript
from redis.exceptions import ResponseError

from app.errors import TooOld

Redis: TypeAlias = redis.asyncio.Redis

MIN_VERSION = (6, 2)
"""The first Redis version with ZMSCORE."""

OUTAGES = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.ResponseError,  # full, busy or cannot persist: no fixed wording to match on
)
"""What the client raises if the server is unavailable, frozen, loading, full or a replica."""


@asynccontextmanager
async def open_redis(url: str, *, socket_timeout: float = 3) -> AsyncIterator[Redis]:
    """Open a client. It connects on first use, so this works even while Redis is unavailable.

    A call to a frozen server raises an error after `socket_timeout` seconds. The client does not
    retry, but the worker's loops do.
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


async def require_supported_version(client: Redis) -> None:
    """Check that Redis is new enough. If it is not responding, do nothing.

    Raises:
        TooOld: the version of Redis is below `MIN_VERSION`.
    """
    try:
        info = await client.info("server")
    except OUTAGES:
        return
    version = str(info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_VERSION:
        raise TooOld(
            f"Redis {version} is too old: {'.'.join(map(str, MIN_VERSION))} or newer is required"
        )


__all__ = ["AsyncScript", "ResponseError"]
