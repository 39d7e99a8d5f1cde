"""A transaction, and the jobs that leave when it has committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

from asyncpg import LockNotAvailableError as LockTimeout
from asyncpg import UniqueViolationError as UniqueViolation

from app.errors import Unavailable
from app.postgres.pool import OUTAGES, Connection, Pool, Record, end_statement

ACQUIRE = 5
"""Seconds that anyone waits for a connection, so that a full pool is an error and not a queue."""


class Dispatch(NamedTuple):
    """A job that is due now and waits for its transaction to commit."""

    queue: str
    job_id: UUID


class Transaction:
    """An open transaction: statements run on it, and jobs enqueued in it leave after the commit."""

    __slots__ = ("_connection", "dispatches", "execute", "fetch", "fetchrow", "fetchval")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dispatches: list[Dispatch] = []
        self.fetch = connection.fetch
        self.fetchrow = connection.fetchrow
        self.fetchval = connection.fetchval
        self.execute = connection.execute

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that can fail alone. Jobs enqueued in it leave only if it succeeds."""
        before = len(self.dispatches)
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            del self.dispatches[before:]
            raise


class Database:
    """The pool, and who is told of the jobs of a committed transaction.

    An outage of Postgres is raised as `Unavailable`, whatever it did to the connection.
    """

    def __init__(self, pool: Pool, dispatch: Callable[[Sequence[Dispatch]], None]) -> None:
        """`dispatch` must not block and must not raise: the commit has already happened."""
        self.pool = pool
        self.waiting = 0
        """How many wait for a connection."""
        self._depart = dispatch

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit at the end of the block, roll back when it raises.

        Raises:
            Unavailable: Postgres is away, or no connection became free within 5 s. If it went away
                during the commit, the commit may have happened.
        """
        async with self._connection() as connection:
            tx = Transaction(connection)
            async with connection.transaction():
                yield tx
        if tx.dispatches:
            self._depart(tx.dispatches)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        self.waiting += 1
        try:
            if self.pool.get_idle_size():  # one is given at once: no time is kept, which would cost
                connection = await self.pool.acquire()
            else:
                async with asyncio.timeout(ACQUIRE):  # asyncpg's own costs a task each time
                    connection = await self.pool.acquire()
        except (OSError, TimeoutError, *OUTAGES) as error:
            raise _unavailable(error) from error
        finally:
            self.waiting -= 1
        try:
            yield connection
        except asyncio.CancelledError:
            await end_statement(connection)
            raise
        except TimeoutError as error:
            await end_statement(connection)
            raise _unavailable(error) from error
        except OUTAGES as error:
            raise _unavailable(error) from error
        finally:
            await self.pool.release(connection)

    async def fetch(self, query: str, *args: Any) -> list[Record]:
        async with self._connection() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 # as asyncpg
    ) -> Record | None:
        async with self._connection() as connection:
            return await connection.fetchrow(query, *args, timeout=timeout)

    async def fetchval(self, query: str, *args: Any) -> Any:
        async with self._connection() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        async with self._connection() as connection:
            return await connection.execute(query, *args)


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"Postgres is unavailable ({type(error).__name__}).", dependency="postgres")


__all__ = ["LockTimeout", "UniqueViolation"]
