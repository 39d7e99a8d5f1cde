"""A worker's slots: the jobs that run in them, and the capacity for more."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from app import metrics
from app.jobs.job import JobId, Queue
from app.jobs.pauses import Pauses
from app.jobs.redis_queue import QUEUES, low_slots
from app.jobs.rows import ClaimedJob

CLEANUP_S = 10.0
"""Seconds that a cancelled handler has to clean up before it is cancelled again."""


@dataclass(slots=True)
class RunningJob:
    """A job in a slot, and the task that runs it."""

    claimed: ClaimedJob
    task: asyncio.Task[None] | None = None
    interruption: Literal["released", "cancelled", "lost"] = "released"
    """Why the task is cancelled: the worker is stopping, or the job was cancelled or lost."""

    _interrupted_at: float = -math.inf

    def interrupt(self, reason: Literal["cancelled", "lost"]) -> None:
        """Cancel the job's task for this reason, unless it was cancelled a short time ago.

        Every heartbeat calls this until the task ends: see `cancel_all` for why once is not enough.
        """
        self.interruption = reason
        if self.task is not None and monotonic() - self._interrupted_at > CLEANUP_S:
            self._interrupted_at = monotonic()
            self.task.cancel()


class Slots:
    """The slots and the jobs in them. A job keeps its slot until its outcome is committed."""

    def __init__(self, count: int, pauses: Pauses) -> None:
        self.count = count
        self.running: dict[JobId, RunningJob] = {}
        self.may_claim = asyncio.Event()
        """Set while jobs may be claimed."""
        self.wakeup = asyncio.Event()
        """Set when the claim loop should check the queues."""
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
        """How many jobs to claim: one for each slot that is free or about to be free."""
        return max(0, self.count - len(self.running) + self._committing)

    async def wait_until_free(self) -> None:
        """Wait until a slot is free, or no job is committing."""
        while self._committing and not self.free:
            self._freed.clear()
            await self._freed.wait()

    def occupy(self, running: RunningJob) -> None:
        """Give a job a slot. An older attempt that is still running here is lost: interrupt it."""
        if older := self.running.get(running.claimed.id):
            older.interrupt("lost")
        self.running[running.claimed.id] = running
        self._update()

    def tasks(self) -> list[asyncio.Task[None]]:
        return [running.task for running in self.running.values() if running.task is not None]

    def vacate(self, running: RunningJob) -> None:
        if self.running.get(running.claimed.id) is running:
            del self.running[running.claimed.id]
        self._freed.set()
        self._update()
        self.wakeup.set()

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Let the next job be claimed while a job's `done` is being committed."""
        self._committing += 1
        self._update()
        self.wakeup.set()
        try:
            yield
        finally:
            self._committing -= 1
            self._update()

    def capacity_by_queue(self) -> dict[Queue, int]:
        """Return the most jobs that may be claimed from each queue: 0 if it is paused."""
        capacity: dict[Queue, int] = dict.fromkeys(QUEUES, self.count)
        capacity["low"] = max(0, low_slots(self.count) - self._running_low())
        return {
            queue: 0 if queue in self._pauses.queues else jobs for queue, jobs in capacity.items()
        }

    def _running_low(self) -> int:
        return sum(running.claimed.queue == "low" for running in self.running.values())

    def _update(self) -> None:
        metrics.running.set(len(self.running))
        if self.capacity:
            self.may_claim.set()
        else:
            self.may_claim.clear()
