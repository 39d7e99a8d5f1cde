"""Snapshots, for results that are too long for a list and are read piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.errors import Busy
from app.postgres.failures import POSTGRES_ERRORS, failure_of
from app.postgres.pool import (
    CLIENT_MARGIN_S,
    Connection,
    Pool,
    PooledConnection,
    close_now,
    set_statement_timeout,
)
from app.postgres.statements import Query

ACQUIRE_TIMEOUT_S = 2.0
"""The longest that a reader waits for a connection."""
RETRY_AFTER_S = 10
"""How long to wait before trying again: a connection may be free by then."""
MIN_CHUNK_BYTES = 64 * 1024
"""The smallest chunk that a COPY passes on, except for the last one."""
COPY_TIMEOUT_S = 3600.0
"""Very long: readers have timeouts of their own."""


class Snapshot:
    """An open REPEATABLE READ READ ONLY transaction: everything read in it is consistent.

    It locks no rows, but keeps vacuum from removing the rows that it may still see.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.fetch = connection.fetch
        self.fetchrow = connection.fetchrow
        self.fetchval = connection.fetchval
        self.execute = connection.execute

    async def csv(self, query: Query, write: Callable[[bytes], Awaitable[None]]) -> int:
        """Copy the rows as CSV with a header (COPY) and pass the bytes to `write`.

        The format is RFC 4180, except that lines end with LF. Each call to `write` but the
        last gets at least 64 KiB. Nothing more is read from the server until `write` returns.

        Returns:
            The number of rows.
        """
        pending = bytearray()

        async def collect(piece: bytes) -> None:
            pending.extend(piece)
            if len(pending) >= MIN_CHUNK_BYTES:
                chunk = bytes(pending)
                pending.clear()
                await write(chunk)

        await set_statement_timeout(self._connection, COPY_TIMEOUT_S)
        status = await self._connection.copy_from_query(
            query.sql,
            *query.args,
            output=collect,
            format="csv",
            header=True,
            timeout=COPY_TIMEOUT_S + CLIENT_MARGIN_S,
        )
        if pending:
            await write(bytes(pending))
        return int(status.removeprefix("COPY "))

    async def batches(self, query: Query, size: int) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        """Yield the rows in batches of this size, through a cursor."""
        cursor = await self._connection.cursor(query.sql, *query.args)
        while batch := await cursor.fetch(size):
            yield [tuple(row) for row in batch]


class Snapshots:
    """A separate pool for long reads, so that they cannot use up all connections."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.waiting = 0
        """The number of tasks that are waiting for a connection."""

    @property
    def are_all_in_use(self) -> bool:
        pool = self.pool
        return pool.get_idle_size() == 0 and pool.get_size() == pool.get_max_size()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Snapshot]:
        """Open a snapshot of the current data. The connection is released when the block ends.

        If the block raises, the connection is closed instead of rolled back: a COPY that was
        cancelled while rows were arriving is still in progress, and asyncpg does not notice.

        Raises:
            Busy: all connections are in use, and none became free within 2 s.
            Unavailable: Postgres is unavailable.
            StatementCancelled: Postgres ended a statement.
        """
        connection = await self._connection()
        transaction = connection.transaction(isolation="repeatable_read", readonly=True)
        try:
            await transaction.start()
            yield Snapshot(connection)
            await transaction.commit()
        except BaseException as error:
            close_now(connection)
            if not isinstance(error, POSTGRES_ERRORS):
                raise
            if failure := failure_of(error):
                raise failure from error
            raise
        finally:
            await self.pool.release(connection)

    async def _connection(self) -> PooledConnection:
        self.waiting += 1
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_S):
                return await self.pool.acquire()
        except TimeoutError as error:
            if self.pool.get_size() < self.pool.get_max_size():
                if failure := failure_of(error):
                    raise failure from error
                raise
            raise Busy(
                "Too many exports are in progress. Try again in a moment.",
                retry_after=RETRY_AFTER_S,
            ) from None
        except (OSError, *POSTGRES_ERRORS) as error:
            if failure := failure_of(error):
                raise failure from error
            raise
        finally:
            self.waiting -= 1
