"""CSV: the lines as Postgres writes them, streamed to a client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import NamedTuple

from app.exports import statements
from app.exports.export import Filters
from app.postgres.snapshot import Snapshot, Snapshots
from app.users.user import UserId


async def copy(
    snapshot: Snapshot,
    user_id: UserId,
    filters: Filters,
    write: Callable[[bytes], Awaitable[None]],
) -> int:
    """Write the header and a line for each activity: the first leave before the last are read.

    Returns:
        The number of activities.
    """
    await statements.read_in_order(snapshot)
    query = statements.activities_csv(
        user_id=user_id, first=filters.first, last=filters.last, type=filters.type
    )
    return await snapshot.csv(query, write)


BOM = b"\xef\xbb\xbf"
"""By which some spreadsheets know UTF-8."""


class Patience(NamedTuple):
    """What a reader may take of a connection, and of what vacuum could remove."""

    longest: float = 15 * 60
    """Seconds from the first byte to the last."""
    slowest: float = 50_000
    """Bytes a second, on an average over each `stretch`."""
    stretch: float = 30
    """Seconds. Only those count in which the reader was waited for."""


PATIENCE = Patience()


class TooSlow(Exception):
    """The reader was cut off."""


async def stream(
    snapshots: Snapshots,
    user_id: UserId,
    filters: Filters,
    begin: Callable[[], Awaitable[None]],
    write: Callable[[bytes], Awaitable[None]],
    *,
    bom: bool,
    patience: Patience = PATIENCE,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Write a person's activities, all as of one moment.

    `begin` is called first, once there is a connection.

    Args:
        patience: how slowly the reader may read.
        clock: measures, in seconds, how long writes wait for the reader; the event loop's clock
            cuts them off.

    Raises:
        Busy: as many are read as can be at once.
        Unavailable: Postgres is away, or went away in the middle.
        TooSlow: the reader took longer than they may.
    """
    reader = _Reader(write, patience, clock)
    async with snapshots.open() as snapshot:
        await begin()
        try:
            async with asyncio.timeout(patience.longest):
                if bom:
                    await reader.take(BOM)
                await copy(snapshot, user_id, filters, reader.take)
        except TimeoutError:
            raise TooSlow(f"not at the end after {patience.longest:.0f} s") from None


class _Reader:
    """Counts for how long the reader was waited for, and how many bytes they took meanwhile."""

    def __init__(
        self,
        write: Callable[[bytes], Awaitable[None]],
        patience: Patience,
        clock: Callable[[], float],
    ) -> None:
        self._write = write
        self._patience = patience
        self._clock = clock
        self._waited = 0.0
        self._taken = 0

    async def take(self, data: bytes) -> None:
        """
        Raises:
            TooSlow: of what makes up a stretch at the slowest rate, it took less.
        """
        slowest, stretch = self._patience.slowest, self._patience.stretch
        began = self._clock()
        try:
            async with asyncio.timeout(stretch - self._waited):
                await self._write(data)
        except TimeoutError:
            raise TooSlow(f"less than {slowest:,.0f} bytes a second for {stretch:.0f} s") from None
        self._waited += self._clock() - began
        self._taken += len(data)
        if self._taken >= slowest * stretch:
            self._waited, self._taken = 0.0, 0
