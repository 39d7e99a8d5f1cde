"""Reading what is too long for a list: piece by piece, all of it as of one moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.errors import Busy, Unavailable
from app.postgres.pool import OUTAGES, Connection, Pool, Pooled
from app.postgres.statements import Query

WAIT = 2.0
"""Seconds that a reader waits for a connection."""
BUSY = 10
"""Seconds after which one may be free again."""
PIECE = 64 * 1024
"""Bytes of a COPY that are handed on at once, at the least."""
LONGEST = 3600.0
"""Seconds that a COPY may take: whoever reads has a limit of their own."""


class Snapshot:
    """An open REPEATABLE READ READ ONLY transaction: all that is read through it is of one moment.

    It holds no lock, but keeps vacuum from what it may still see.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.fetch = connection.fetch
        self.fetchrow = connection.fetchrow
        self.fetchval = connection.fetchval
        self.execute = connection.execute

    async def csv(self, query: Query, write: Callable[[bytes], Awaitable[None]]) -> int:
        """Have Postgres write the rows as CSV (COPY), with a header, and pass the bytes on.

        Lines end with LF, else RFC 4180. `write` is given at least 64 KiB each time but the last,
        and is waited for: while it does not return, nothing more is read from the server.

        Returns:
            The number of rows.
        """
        pending = bytearray()

        async def gather(piece: bytes) -> None:
            pending.extend(piece)
            if len(pending) >= PIECE:
                whole = bytes(pending)
                pending.clear()
                await write(whole)

        said = await self._connection.copy_from_query(
            query.sql, *query.args, output=gather, format="csv", header=True, timeout=LONGEST
        )
        if pending:
            await write(bytes(pending))
        return int(said.removeprefix("COPY "))

    async def batches(self, query: Query, size: int) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        """The rows by so many, through a declared cursor."""
        cursor = await self._connection.cursor(query.sql, *query.args)
        while batch := await cursor.fetch(size):
            yield [tuple(row) for row in batch]


class Snapshots:
    """A pool of its own for those who read long, so that they cannot take every connection."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.waiting = 0
        """How many wait for a connection."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Snapshot]:
        """Read as of now. The connection is given back when the block ends, however it ends.

        Raises:
            Busy: all connections are taken, and none became free within 2 s.
            Unavailable: Postgres is away, or went away meanwhile.
        """
        connection = await self._connection()
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield Snapshot(connection)
        except OUTAGES as error:
            raise _unavailable(error) from error
        finally:
            await self.pool.release(connection)

    async def _connection(self) -> Pooled:
        self.waiting += 1
        try:
            async with asyncio.timeout(WAIT):
                return await self.pool.acquire()
        except TimeoutError as error:
            if self.pool.get_size() < self.pool.get_max_size():
                raise _unavailable(error) from error
            raise Busy(
                "Too many exports are being read. Try again in a moment.", retry_after=BUSY
            ) from None
        except (OSError, *OUTAGES) as error:
            raise _unavailable(error) from error
        finally:
            self.waiting -= 1


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"Postgres is unavailable ({type(error).__name__}).", dependency="postgres")
