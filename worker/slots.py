"""The slots of a worker: which jobs run in them, and how many more may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Literal

from app import metrics
from app.jobs.job import JobId, Queue
from app.jobs.pauses import Pauses
from app.jobs.redis_queue import QUEUES, low_slots
from app.jobs.rows import Claimed

ISOLATE_AFTER_CRASHES = 2
"""Crashes."""


class Isolation:
    """Who runs alone, and whether the worker may claim beside those who wait to."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called whenever what may be claimed has changed."""
        self._changed = changed
        self._turn = asyncio.Lock()
        self._job_ended = asyncio.Event()
        self.isolated = 0

    def job_ended(self) -> None:
        """Some job of the worker has ended."""
        self._job_ended.set()

    @asynccontextmanager
    async def alone(self, running: Callable[[], int]) -> AsyncIterator[None]:
        """Wait until nothing runs but those who wait for isolation too, and keep it so.

        Args:
            running: how many jobs the worker runs, with all who wait here.
        """
        self.isolated += 1
        self._job_ended.set()  # whoever waits counts again: one more of those that run only waits
        self._changed()
        try:
            async with self._turn:
                while running() > self.isolated:
                    self._job_ended.clear()
                    await self._job_ended.wait()
                yield
        finally:
            self.isolated -= 1
            self._changed()


@dataclass(slots=True)
class RunningJob:
    claimed: Claimed
    task: asyncio.Task[None] | None = None
    interruption: Literal["released", "cancelled", "lost"] = "released"
    """Why its task is cancelled: the worker ends, someone asked, or it is no longer ours."""

    def interrupt(self, reason: Literal["cancelled", "lost"]) -> None:
        """Cancel its task."""
        self.interruption = reason
        if self.task is not None:
            self.task.cancel()


class Slots:
    """A job holds its slot until its end is committed."""

    def __init__(self, count: int, pauses: Pauses) -> None:
        self.count = count
        self.running: dict[JobId, RunningJob] = {}
        self.may_claim = asyncio.Event()
        """Set while jobs may be drawn."""
        self.wakeup = asyncio.Event()
        """Set when it is time to look at the queues, because something has changed."""
        self.isolation = Isolation(self._update)
        self._pauses = pauses
        self._committing = 0
        self._freed = asyncio.Event()
        metrics.slots.set(count)
        self._update()

    @property
    def free(self) -> int:
        return max(0, self.count - len(self.running))

    @property
    def capacity(self) -> int:
        """How many jobs to draw: for the free slots, and for those whose job only has to commit."""
        return max(0, self.count - len(self.running) + self._committing)

    async def wait_until_free(self) -> None:
        """Wait until a slot is free, or none is about to be."""
        while self._committing and not self.free:
            self._freed.clear()
            await self._freed.wait()

    def occupy(self, running: RunningJob) -> None:
        """Give a job its slot. An older attempt, lost and then claimed anew by us, is cut short."""
        if older := self.running.get(running.claimed.id):
            older.interrupt("lost")
        self.running[running.claimed.id] = running
        self._update()

    def tasks(self) -> list[asyncio.Task[None]]:
        return [running.task for running in self.running.values() if running.task is not None]

    def vacate(self, running: RunningJob) -> None:
        if self.running.get(running.claimed.id) is running:
            del self.running[running.claimed.id]
        self.isolation.job_ended()
        self._freed.set()
        self._update()
        self.wakeup.set()

    @contextmanager
    def committing(self) -> Iterator[None]:
        """The job has ended well and waits for its commit: its successor may be drawn meanwhile."""
        self._committing += 1
        self._update()
        self.wakeup.set()
        try:
            yield
        finally:
            self._committing -= 1
            self._update()

    def capacity_by_queue(self) -> dict[Queue, int]:
        """How many jobs each queue may fill slots with: none when it is paused."""
        capacity: dict[Queue, int] = dict.fromkeys(QUEUES, self.count)
        capacity["low"] = max(0, low_slots(self.count) - self._running_low())
        if self.isolation.isolated:
            capacity["low"] = 0
        return {
            queue: 0 if queue in self._pauses.queues else jobs for queue, jobs in capacity.items()
        }

    def _running_low(self) -> int:
        return sum(running.claimed.queue == "low" for running in self.running.values())

    def _update(self) -> None:
        """Those who want isolation wait for the long jobs to end, and only then for the rest."""
        metrics.running.set(len(self.running))
        alone = self.isolation.isolated > 0 and self._running_low() <= self.isolation.isolated
        if self.capacity and not alone:
            self.may_claim.set()
        else:
            self.may_claim.clear()
