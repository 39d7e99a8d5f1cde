"""A transaction, and the jobs that leave when it has committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

from app.postgres.pool import Connection, Pool, Record


class Departure(NamedTuple):
    """A job that is due now and waits for its transaction to commit."""

    queue: str
    job_id: UUID


class Transaction:
    """An open transaction: statements run on it, and jobs enqueued in it leave after the commit."""

    __slots__ = ("_connection", "departures", "execute", "fetch", "fetchrow", "fetchval")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.departures: list[Departure] = []
        self.fetch = connection.fetch
        self.fetchrow = connection.fetchrow
        self.fetchval = connection.fetchval
        self.execute = connection.execute

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that can fail alone. Jobs enqueued in it leave only if it succeeds."""
        before = len(self.departures)
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            del self.departures[before:]
            raise


class Database:
    """The pool, and who is told of the jobs of a committed transaction."""

    def __init__(self, pool: Pool, depart: Callable[[Sequence[Departure]], None]) -> None:
        """`depart` must not block and must not raise: the commit has already happened."""
        self.pool = pool
        self._depart = depart

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit at the end of the block, roll back when it raises.

        Waits at most 5 s for a connection, so that a full pool is an error and not a queue.

        Raises:
            TimeoutError: no connection became free.
        """
        async with self.pool.acquire(timeout=5) as connection:
            tx = Transaction(connection)
            async with connection.transaction():
                yield tx
        if tx.departures:
            self._depart(tx.departures)

    async def fetch(self, query: str, *args: Any) -> list[Record]:
        return await self.pool.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Record | None:
        return await self.pool.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        return await self.pool.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        return await self.pool.execute(query, *args)
