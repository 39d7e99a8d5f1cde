"""CSV as Postgres writes it, and downloads that stream it to a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import NamedTuple

from app.errors import TooMany
from app.exports import statements
from app.exports.export import Filters
from app.postgres.snapshot import RETRY_AFTER_S, Snapshot, Snapshots
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
    """The download was cut off: the client was too slow, or another download needed room."""


class Downloads:
    """The downloads of this process, of which a person may have one at a time.

    Connections and counts belong to a process, so one person can take one connection in each
    process. A download that has waited for its client for a window is cut
    off if a new one finds no free connection. Clients that are slow, but not too slow, can
    therefore keep others waiting for no longer than a window.
    """

    def __init__(
        self, limits: DownloadLimits = DOWNLOAD_LIMITS, clock: Callable[[], float] = monotonic
    ) -> None:
        """Args:
        clock: measures, in seconds, how long writes wait for the client. The timeouts themselves
            use the event loop's clock.
        """
        self._limits = limits
        self._clock = clock
        self._outputs: dict[UserId, _TimedOutput] = {}

    async def stream(
        self,
        snapshots: Snapshots,
        user_id: UserId,
        filters: Filters,
        begin: Callable[[], Awaitable[None]],
        write: Callable[[bytes], Awaitable[None]],
        *,
        bom: bool,
    ) -> None:
        """Write a user's activities, all read from one snapshot.

        `begin` is called first, as soon as there is a connection.

        Raises:
            TooMany: this user has a download in progress.
            Busy: all connections for downloads are in use, and none became free within 2 s.
            Unavailable: Postgres is unavailable, or the connection to it was lost during the
                download.
            DownloadTooSlow: the client read too slowly, or had to make room for another download.
        """
        if user_id in self._outputs:
            raise TooMany(
                "You are already downloading a CSV. Wait until it is complete, or cancel it.",
                retry_after=RETRY_AFTER_S,
            )
        if snapshots.are_all_in_use:
            self._make_room()
        output = self._outputs[user_id] = _TimedOutput(write, self._limits, self._clock)
        try:
            async with snapshots.open() as snapshot:
                await begin()
                async with output.limited():
                    if bom:
                        await output.write(BOM)
                    await copy(snapshot, user_id, filters, output.write)
        finally:
            del self._outputs[user_id]

    def _make_room(self) -> None:
        """Cut off the download that has waited longest for its client, if that is a window."""
        slowest = max(self._outputs.values(), key=_TimedOutput.total_wait_s, default=None)
        if slowest is not None and slowest.total_wait_s() >= self._limits.window_s:
            slowest.give_way()


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
        self._earlier_waits_s = 0.0
        self._waiting_since: float | None = None
        self._limit: asyncio.Timeout | None = None
        self._gave_way = False

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        """Limit how long the block may take.

        Raises:
            DownloadTooSlow: it took too long, or was cut off to make room for another download.
        """
        try:
            async with asyncio.timeout(self._limits.max_duration_s) as limit:
                self._limit = limit
                try:
                    yield
                finally:
                    self._limit = None
        except TimeoutError:
            reason = f"not finished after {self._limits.max_duration_s:.0f} s"
            if self._gave_way:
                reason = "cut off to make room for another download"
            raise DownloadTooSlow(reason) from None

    def give_way(self) -> None:
        """End the download, unless it is about to end."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())
            self._limit = None
            self._gave_way = True

    def total_wait_s(self) -> float:
        """Return how long writes have waited for the client; 0 if the download is about to end."""
        if self._limit is None:
            return 0.0
        since = self._clock() if self._waiting_since is None else self._waiting_since
        return self._earlier_waits_s + self._clock() - since

    async def write(self, data: bytes) -> None:
        """Write, and start a new window when the client has read a window's worth of bytes.

        Raises:
            DownloadTooSlow: the window ended before the client had read that many bytes.
        """
        min_rate, window_s = self._limits.min_bytes_per_s, self._limits.window_s
        started = self._waiting_since = self._clock()
        try:
            async with asyncio.timeout(window_s - self._waited_s):
                await self._write(data)
        except TimeoutError:
            raise DownloadTooSlow(
                f"less than {min_rate:,.0f} bytes a second for {window_s:.0f} s"
            ) from None
        wait_s = self._clock() - started
        self._waiting_since = None
        self._earlier_waits_s += wait_s
        self._waited_s += wait_s
        self._written += len(data)
        if self._written >= min_rate * window_s:
            self._waited_s, self._written = 0.0, 0
