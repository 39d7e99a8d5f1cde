"""The claim loop, which claims jobs for this worker's free slots."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from time import monotonic
from typing import cast

import structlog

from app.errors import Unavailable
from app.event_loop import cancel_all
from app.jobs.job import JobId
from app.jobs.redis_queue import WAKEUP_KEY
from app.redis import OUTAGES, Redis
from worker.claim import Claimer
from worker.lease import Lease
from worker.runner import Runner
from worker.slots import Slots

log = structlog.get_logger()

POLL_INTERVAL_S = 1
"""Seconds after which the queues are checked even without a wakeup."""
RETRY_DELAY_S = 0.5
"""Seconds between two tries while Redis or Postgres is unavailable."""


class ClaimLoop:
    """The claim loop, which fills the slots with jobs and can interrupt running ones."""

    def __init__(self, claimer: Claimer, slots: Slots, lease: Lease, runner: Runner) -> None:
        self._claimer = claimer
        self._slots = slots
        self._lease = lease
        self._runner = runner
        self.last_pop_at = 0.0
        """When a pop last succeeded, by the monotonic clock. It may have found no ids."""

    @property
    def is_full(self) -> bool:
        """Whether all slots are in use, so that nothing is popped."""
        return not self._slots.may_claim.is_set()

    async def run(self) -> None:
        """Claim and start jobs until cancelled. Cancelling does not interrupt running jobs."""
        while True:
            await self._slots.may_claim.wait()
            await self._lease.wait_until_fresh()
            self._slots.wakeup.clear()
            try:
                too_few = await self._fill_slots()
            except (Unavailable, *OUTAGES) as error:
                if isinstance(error, Unavailable):
                    self._lease.suspend()
                log.warning("claim_loop.failed", error=repr(error))
                await asyncio.sleep(RETRY_DELAY_S)
                continue
            if too_few:
                await self._wait_for_wakeup()

    async def run_one(self, job_id: JobId) -> None:
        """Claim a job and run it to its end, even without a free slot.

        If the job's row is not free, drop the id.
        """
        await self._lease.wait_until_fresh()
        for claimed in await self._claimer.claim([job_id]):
            await self._runner.start(claimed)

    async def listen_for_wakeups(self, redis: Redis) -> None:
        """Until cancelled, wake the loop whenever this worker gets an item from the wakeup key."""
        while True:
            await self._slots.may_claim.wait()
            wakeup = cast("Awaitable[object]", redis.blpop([WAKEUP_KEY], timeout=POLL_INTERVAL_S))
            try:
                if await wakeup:
                    self._slots.wakeup.set()
            except OUTAGES:
                await asyncio.sleep(RETRY_DELAY_S)

    async def drain(self, grace: float) -> list[JobId]:
        """Wait up to `grace` seconds for the running jobs, then interrupt the rest.

        Returns:
            The interrupted jobs. This worker still holds them and has to release them.
        """
        if tasks := self._slots.tasks():
            await asyncio.wait(tasks, timeout=grace)
        interrupted = list(self._slots.running)
        await cancel_all(self._slots.tasks())
        return interrupted

    def interrupt_all(self) -> None:
        """Interrupt the running jobs, so that they are released before the grace period is over."""
        for task in self._slots.tasks():
            task.cancel()

    def cancel(self, job_ids: Iterable[JobId]) -> None:
        """Interrupt these jobs, if they are running here, and end them as cancelled."""
        for job_id in job_ids:
            if running := self._slots.running.get(job_id):
                running.interrupt("cancelled")

    def interrupt_lost(self, job_ids: Iterable[JobId]) -> None:
        """Interrupt these jobs, if they are running here: their attempts are lost."""
        for job_id in job_ids:
            if running := self._slots.running.get(job_id):
                running.interrupt("lost")

    async def _wait_for_wakeup(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_INTERVAL_S):
                await self._slots.wakeup.wait()

    async def _fill_slots(self) -> bool:
        """Fill the slots, and return whether too few ids could be popped to fill them all.

        A slot whose job is committing its `done` counts as free: the next job is claimed meanwhile,
        and starts once a slot is free. If the worker stops first, it releases the claimed job.
        """
        capacity = self._slots.capacity
        claims = await self._claimer.claim_next(capacity, self._slots.capacity_by_queue())
        self.last_pop_at = monotonic()
        for claimed in claims.jobs:
            await self._slots.wait_until_free()
            self._runner.start(claimed)
        return claims.popped < capacity
