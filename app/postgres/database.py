"""Transactions, and the dispatch of their jobs after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from asyncpg import LockNotAvailableError as LockTimeout
from asyncpg import ReadOnlySQLTransactionError
from asyncpg import UniqueViolationError as UniqueViolation

from app.postgres.failures import POSTGRES_ERRORS, failure_of
from app.postgres.pool import (
    CLIENT_MARGIN_S,
    Connection,
    Pool,
    PooledConnection,
    Record,
    close_now,
    end_statement,
    set_statement_timeout,
)

ACQUIRE_TIMEOUT_S = 5
"""The longest wait for a connection: if the pool stays full, tasks must fail, not queue up."""


class Dispatch(NamedTuple):
    """A due job, to be dispatched when its transaction has committed."""

    queue: str
    job_id: UUID
    run_at: datetime


class Transaction:
    """An open transaction. Jobs enqueued in it are dispatched after the commit."""

    __slots__ = ("_connection", "dispatches", "execute", "fetch", "fetchval")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dispatches: list[Dispatch] = []
        self.fetch = connection.fetch
        self.fetchval = connection.fetchval
        self.execute = connection.execute

    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 # as in asyncpg
    ) -> Record | None:
        return await _fetchrow(self._connection, query, *args, timeout=timeout)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a savepoint. If the block fails, its changes are undone and its jobs are dropped."""
        before = len(self.dispatches)
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            del self.dispatches[before:]
            raise


class Database:
    """A connection pool, and the dispatch of jobs once their transaction has committed.

    Postgres errors are raised as app/postgres/failures.py classifies them.
    """

    def __init__(
        self,
        pool: Pool,
        dispatch: Callable[[Sequence[Dispatch]], None],
        *,
        acquire_timeout_s: float = ACQUIRE_TIMEOUT_S,
    ) -> None:
        """`dispatch` must not block or raise, because the transaction has already committed."""
        self._acquire_timeout_s = acquire_timeout_s
        self.pool = pool
        self.waiting = 0
        """The number of tasks that are waiting for a connection."""
        self._dispatch = dispatch
        self._turns = asyncio.Semaphore(pool.get_max_size())
        """Serves tasks in order: asyncpg's pool gives a connection to whoever asks next."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction. It commits when the block ends, or rolls back if the block raises.

        Raises:
            Unavailable: Postgres is unavailable, locks conflicted, or no connection became free
                within 5 s. If Postgres failed during the commit, the transaction may have
                committed.
            StatementCancelled: Postgres ended a statement.
        """
        async with self._connection() as connection:
            tx = Transaction(connection)
            async with connection.transaction():
                yield tx
        if tx.dispatches:
            self._dispatch(tx.dispatches)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = await self._acquire()
        try:
            yield connection
        except asyncio.CancelledError:
            await end_statement(connection)
            raise
        except TimeoutError as error:
            await end_statement(connection)
            if failure := failure_of(error):
                raise failure from error
            raise
        except POSTGRES_ERRORS as error:
            if isinstance(error, ReadOnlySQLTransactionError):
                close_now(connection)  # the next one may lead to the new primary
            if failure := failure_of(error):
                raise failure from error
            raise
        finally:
            try:
                await self.pool.release(connection)
            finally:
                self._turns.release()

    async def _acquire(self) -> PooledConnection:
        """Take a connection, which must be released, and then the turn."""
        self.waiting += 1
        try:
            if self.pool.get_idle_size() and not self._turns.locked():  # skip the cost of a timeout
                return await self._next_connection()
            async with asyncio.timeout(self._acquire_timeout_s):  # asyncpg's own costs a task
                return await self._next_connection()
        except (OSError, *POSTGRES_ERRORS) as error:
            if failure := failure_of(error):
                raise failure from error
            raise
        finally:
            self.waiting -= 1

    async def _next_connection(self) -> PooledConnection:
        await self._turns.acquire()
        try:
            return await self.pool.acquire()
        except BaseException:
            self._turns.release()
            raise

    async def fetch(self, query: str, *args: Any) -> list[Record]:
        async with self._connection() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 # as in asyncpg
    ) -> Record | None:
        async with self._connection() as connection:
            return await _fetchrow(connection, query, *args, timeout=timeout)

    async def fetchval(self, query: str, *args: Any) -> Any:
        async with self._connection() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        async with self._connection() as connection:
            return await connection.execute(query, *args)


async def _fetchrow(
    connection: Connection,
    query: str,
    *args: Any,
    timeout: float | None,  # noqa: ASYNC109 # as in asyncpg
) -> Record | None:
    if timeout is None:
        return await connection.fetchrow(query, *args)
    async with connection.transaction():
        await set_statement_timeout(connection, timeout)
        return await connection.fetchrow(query, *args, timeout=timeout + CLIENT_MARGIN_S)


__all__ = ["LockTimeout", "UniqueViolation"]
