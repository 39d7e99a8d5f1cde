"""Opening pools of connections."""

from __future__ import annotations

from typing import Any, TypeAlias

import asyncpg

from app.errors import TooOld, Unavailable
from app.settings.environment import SettingsError

OLDEST = 18
"""The first Postgres with uuidv7()."""

Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
Pooled: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Record: TypeAlias = asyncpg.Record
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

OUTAGES = (
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # a backend was terminated in the middle of a message
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
)
"""What asyncpg raises while the server is away, restarting, full or at odds with itself for now."""


REFUSALS = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.UndefinedObjectError,  # a parameter of the URL that the server does not know
    asyncpg.ClientConfigurationError,
)
"""What asyncpg raises when a connection cannot be made with these settings."""


async def open_pool(
    url: str, *, size: int, application_name: str, statement: float = 30, idle: str = "8s"
) -> Pool:
    """A pool that connects when it is first needed, so that it can be made while Postgres is away.

    Every connection gives up a statement after 30 s, a lock after 5 s, and is closed by the server
    when a transaction idles for 8 s: below the lease of a running job (10 s), so that a worker that
    was cut off cannot hold the locks of a job that another has reclaimed. Only those who take no
    lock may be given longer.
    """
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=5,
        command_timeout=statement,
        max_inactive_connection_lifetime=300,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "datestyle": "ISO",  # what Postgres writes as text itself, into a CSV
            "max_parallel_workers_per_gather": "0",  # a statement keeps to one processor of all
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": idle,
        },
        reset=_nothing_to_reset,
        connect=_connect,
    )


async def _connect(*args: Any, **kwargs: Any) -> asyncpg.Connection[asyncpg.Record]:
    """
    Raises:
        SettingsError: the database, the user or a parameter of the URL is wrong.
    """
    try:
        return await asyncpg.connect(*args, **kwargs)
    except REFUSALS as error:
        raise SettingsError({"DATABASE_URL": f"cannot be used: {error}"}) from error


async def _nothing_to_reset(_connection: object) -> None:
    """Skip the reset that costs a round trip a release: no code of ours sets session state."""


async def end_statement(connection: Pooled) -> None:
    """End a statement that was cancelled, so that an idle connection of the pool holds no lock.

    asyncpg prepares a statement with a Flush; the Sync that ends its implicit transaction comes
    with the execution. If the task is cancelled once the statement is prepared and before it is
    executed, the server keeps the transaction open, with locks on the statement's tables, until
    the connection is used again. Any simple query ends it.
    """
    try:
        await connection.execute("select 1", timeout=5)
    except BaseException:
        connection.terminate()
        raise


async def require_version(pool: Pool) -> None:
    """Refuse a Postgres that is too old.

    Raises:
        TooOld: its version is below `OLDEST`.
        Unavailable: it does not answer.
    """
    try:
        async with pool.acquire(timeout=5) as connection:
            version = connection.get_server_version()
    except (OSError, TimeoutError, *OUTAGES) as error:
        raise Unavailable(f"Postgres does not respond: {error}", dependency="postgres") from error
    require_new_enough(version.major)


def require_new_enough(major: int) -> None:
    """Refuse a Postgres whose major version is below `OLDEST`.

    Raises:
        TooOld: it is.
    """
    if major < OLDEST:
        raise TooOld(f"Postgres {major} is too old: version {OLDEST} or newer is required")
