"""Solitude: a job that was running when its worker was lost, twice, runs with no other beside it.

If its worker is lost again it is to blame, and becomes a dead letter; the jobs that only happened
to run beside it never do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

SUSPECT_AFTER = 2
"""Crashes."""


class Solitude:
    """Who runs alone, and whether the worker may claim beside those who wait to."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called whenever what may be claimed has changed."""
        self._changed = changed
        self._turn = asyncio.Lock()
        self._one_ended = asyncio.Event()
        self.wanted_by = 0

    def ended(self) -> None:
        """Some job of the worker has ended."""
        self._one_ended.set()

    @asynccontextmanager
    async def granted(self, running: Callable[[], int]) -> AsyncIterator[None]:
        """Wait until nothing runs but those who wait for solitude too, and keep it so.

        Args:
            running: how many jobs the worker runs, with all who wait here.
        """
        self.wanted_by += 1
        self._one_ended.set()  # whoever waits counts again: one more of those that run only waits
        self._changed()
        try:
            async with self._turn:
                while running() > self.wanted_by:
                    self._one_ended.clear()
                    await self._one_ended.wait()
                yield
        finally:
            self.wanted_by -= 1
            self._changed()
