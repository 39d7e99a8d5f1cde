"""The Redis client, and what it raises during an outage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import redis.asyncio
from redis import exceptions
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.commands.core import AsyncScript
from redis.exceptions import ResponseError

from app.errors import TooOld
from app.settings.urls import redis_connection_pool

Redis: TypeAlias = redis.asyncio.Redis

MIN_VERSION = (6, 2)
"""The first Redis version with ZMSCORE."""

OUTAGES = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ResponseError,  # full, busy or cannot persist: no fixed wording to match on
)
"""What the client raises if the server is unavailable, frozen, loading, full or a replica."""

FAILOVERS = ("READONLY", "UNBLOCKED", "MISCONF", "MASTERDOWN")
"""Errors of a server that is no primary any more, or that cannot save. A server that is LOADING is
not among them: redis-py closes the connection to it."""


class FollowsThePrimary(AbstractConnection):
    """A connection that is closed if its server tells of a failover.

    The next command connects again, perhaps to the new primary: behind a name, behind an address
    that moves, or through Sentinel. An open connection to the old one would answer PING for ever.
    """

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read a response as redis-py does.

        Raises:
            redis.exceptions.ConnectionError: also if the server tells of a failover.
        """
        try:
            return await super().read_response(*args, **kwargs)
        except ResponseError as error:
            if not _tells_of_failover(error):
                raise
            await self.disconnect(nowait=True)
            raise exceptions.ConnectionError(str(error)) from error


def _tells_of_failover(error: ResponseError) -> bool:
    # The error of a script has the code further back.
    is_read_only = isinstance(error, exceptions.ReadOnlyError)
    return is_read_only or any(code in str(error) for code in FAILOVERS)


def connection_pool(url: str, **options: Any) -> ConnectionPool:
    """Make a pool of connections that follow the primary."""
    pool = redis_connection_pool(
        url, socket_connect_timeout=2, socket_keepalive=True, client_name="activelog", **options
    )
    plain = pool.connection_class
    pool.connection_class = type(plain.__name__, (FollowsThePrimary, plain), {})
    return pool


@asynccontextmanager
async def open_redis(url: str, *, socket_timeout: float = 3) -> AsyncIterator[Redis]:
    """Open a client. It connects on first use, so this works even while Redis is unavailable.

    A call to a frozen server raises an error after `socket_timeout` seconds. The client does not
    retry, but the worker's loops do.
    """
    pool = connection_pool(url, socket_timeout=socket_timeout, health_check_interval=15)
    client: Redis = redis.asyncio.Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose(close_connection_pool=True)
        if isinstance(pool, SentinelConnectionPool):
            for sentinel in pool.sentinel_manager.sentinels:
                await sentinel.aclose()


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
