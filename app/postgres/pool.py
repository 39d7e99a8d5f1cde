"""Connection pools, and the errors that mean wrong settings."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

import asyncpg

from app.errors import TooOld
from app.postgres.failures import POSTGRES_ERRORS, failure_of, not_responding
from app.settings.environment import SettingsError

MIN_MAJOR_VERSION = 18
"""The first Postgres version with uuidv7()."""

Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Record: TypeAlias = asyncpg.Record
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CLIENT_MARGIN_S = 5
"""How much longer than Postgres's own timeout we wait for the answer to a statement. Only if
there is none does Postgres count as unavailable."""

SETTINGS_ERRORS = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.UndefinedObjectError,  # the URL has an unknown parameter
    asyncpg.ClientConfigurationError,
)
"""What asyncpg raises if the settings are wrong."""


async def open_pool(
    url: str,
    *,
    size: int,
    application_name: str,
    statement_timeout_s: int = 25,
    idle_in_transaction_timeout: str = "8s",
    variable: str = "DATABASE_URL",
) -> Pool:
    """Open a pool. It connects on first use, so this works even while Postgres is unavailable.

    By default, Postgres ends a statement after 25 s and a wait for a lock after 5 s. If it does not
    answer within another 5 s, it counts as unavailable. It ends a statement within a second or two
    after the client is gone, so that a killed worker's statement does not keep the locks of its
    jobs. It closes a connection whose transaction has been idle for 8 s. That is less than a
    worker's lease (10 s), so that a worker that was cut off cannot hold the locks of a job that
    another worker has reclaimed. Only connections that lock no rows may have longer timeouts.

    Args:
        variable: the setting that contains the URL.
    """
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=5,
        command_timeout=statement_timeout_s + CLIENT_MARGIN_S,
        max_inactive_connection_lifetime=300,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "datestyle": "ISO",  # for dates that Postgres itself writes into a CSV
            "max_parallel_workers_per_gather": "0",  # a statement uses one CPU
            "statement_timeout": f"{statement_timeout_s}s",
            "lock_timeout": "5s",
            "client_connection_check_interval": "1s",
            "idle_in_transaction_session_timeout": idle_in_transaction_timeout,
        },
        reset=_skip_reset,
        connect=partial(connect, variable=variable),
    )


async def connect(
    *args: Any, variable: str = "DATABASE_URL", **kwargs: Any
) -> asyncpg.Connection[asyncpg.Record]:
    """Connect, and translate errors in the settings.

    Args:
        variable: the setting that contains the URL.

    Raises:
        SettingsError: the database, user, password or a parameter in the URL is wrong.
    """
    try:
        return await asyncpg.connect(*args, **kwargs)
    except SETTINGS_ERRORS as error:
        raise SettingsError({variable: f"cannot be used: {error}"}) from error


async def _skip_reset(_connection: object) -> None:
    """Skip the reset, which costs a round trip per release: our code sets no session state."""


async def set_statement_timeout(connection: Connection, seconds: float) -> None:
    """Let Postgres end the statements of the open transaction only after this time."""
    await connection.execute(f"set local statement_timeout = '{seconds:.0f}s'")


async def end_statement(connection: PooledConnection) -> None:
    """End a cancelled statement, so that an idle connection in the pool holds no locks.

    asyncpg prepares a statement with a Flush; the Sync that ends its implicit transaction comes
    only when the statement is executed. If the task is cancelled after the statement is prepared
    and before it is executed, the server keeps the transaction open, with locks on the statement's
    tables, until the connection is used again. Any simple query ends the transaction. If that
    fails, the connection is closed. Errors are not raised, but a second cancellation is.
    """
    try:
        await connection.execute("select 1", timeout=5)
    except Exception:  # noqa: BLE001 # what ended the statement matters, not this
        close_now(connection)
    except BaseException:
        close_now(connection)
        raise


def close_now(connection: PooledConnection) -> None:
    """Close a connection that must not be used again, without waiting for the server."""
    with suppress(asyncpg.InterfaceError):  # it was lost, and its pool already knows
        connection.terminate()


async def require_supported_version(pool: Pool) -> None:
    """Check the server's version.

    Raises:
        TooOld: the version is below `MIN_MAJOR_VERSION`.
        SettingsError: DATABASE_URL cannot be used.
        Unavailable: Postgres is not responding.
    """
    try:
        async with pool.acquire(timeout=5) as connection:
            version = connection.get_server_version()
    except (OSError, *POSTGRES_ERRORS) as error:
        if failure_of(error) is None:
            raise
        raise not_responding(error) from error
    require_supported_major(version.major)


def require_supported_major(major: int) -> None:
    """Check a major version of Postgres.

    Raises:
        TooOld: the version is below `MIN_MAJOR_VERSION`.
    """
    if major < MIN_MAJOR_VERSION:
        raise TooOld(
            f"Postgres {major} is too old: version {MIN_MAJOR_VERSION} or newer is required"
        )
