"""CSV as Postgres writes it, and downloads that stream it to a client."""

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
    """Write a header and a row for each activity, starting before all rows have been read.

    Returns:
        The number of activities.
    """
    await statements.disable_sort(snapshot)
    query = statements.activities_csv(
        user_id=user_id, first=filters.first, last=filters.last, type=filters.type
    )
    return await snapshot.csv(query, write)


BOM = b"\xef\xbb\xbf"
"""The byte order mark by which some spreadsheets recognize UTF-8."""


class DownloadLimits(NamedTuple):
    """How slowly a client may read a download. Until it ends, a download occupies a connection,
    and keeps vacuum from removing dead rows."""

    max_duration_s: float = 15 * 60
    """The longest time from the first byte to the last."""
    min_bytes_per_s: float = 50_000
    """The lowest rate allowed, averaged over each window."""
    window_s: float = 30
    """The length of a window. Only time spent waiting for the client counts."""


DOWNLOAD_LIMITS = DownloadLimits()


class DownloadTooSlow(Exception):
    """The client read too slowly, and the download was cut off."""


async def stream(
    snapshots: Snapshots,
    user_id: UserId,
    filters: Filters,
    begin: Callable[[], Awaitable[None]],
    write: Callable[[bytes], Awaitable[None]],
    *,
    bom: bool,
    limits: DownloadLimits = DOWNLOAD_LIMITS,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Write a user's activities, all read from one snapshot.

    `begin` is called first, as soon as there is a connection.

    Args:
        clock: measures, in seconds, how long writes wait for the client. The timeouts themselves
            use the event loop's clock.

    Raises:
        Busy: all connections for downloads are in use, and none became free within 2 s.
        Unavailable: Postgres is unavailable, or the connection to it was lost during the download.
        DownloadTooSlow: the client read more slowly than the limits allow.
    """
    output = _TimedOutput(write, limits, clock)
    async with snapshots.open() as snapshot:
        await begin()
        try:
            async with asyncio.timeout(limits.max_duration_s):
                if bom:
                    await output.write(BOM)
                await copy(snapshot, user_id, filters, output.write)
        except TimeoutError:
            raise DownloadTooSlow(f"not finished after {limits.max_duration_s:.0f} s") from None


class _TimedOutput:
    """Measures how long writes wait for the client, and how many bytes it reads in that time."""

    def __init__(
        self,
        write: Callable[[bytes], Awaitable[None]],
        limits: DownloadLimits,
        clock: Callable[[], float],
    ) -> None:
        self._write = write
        self._limits = limits
        self._clock = clock
        self._waited_s = 0.0
        self._written = 0

    async def write(self, data: bytes) -> None:
        """Write, and start a new window when the client has read a window's worth of bytes.

        Raises:
            DownloadTooSlow: the window ended before the client had read that many bytes.
        """
        min_rate, window_s = self._limits.min_bytes_per_s, self._limits.window_s
        started = self._clock()
        try:
            async with asyncio.timeout(window_s - self._waited_s):
                await self._write(data)
        except TimeoutError:
            raise DownloadTooSlow(
                f"less than {min_rate:,.0f} bytes a second for {window_s:.0f} s"
            ) from None
        self._waited_s += self._clock() - started
        self._written += len(data)
        if self._written >= min_rate * window_s:
            self._waited_s, self._written = 0.0, 0
