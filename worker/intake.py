"""The intake: claims jobs for the free slots of this worker and runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Literal, cast
from uuid import UUID

import structlog

from app import metrics
from app.errors import Unavailable
from app.jobs import Run, statements
from app.jobs.breakers import Breakers
from app.jobs.claims import Claims
from app.jobs.endings import Ending, record
from app.jobs.finishing import Finisher
from app.jobs.job import JobId, Queue
from app.jobs.outcomes import LeaseLost
from app.jobs.pauses import Pauses
from app.jobs.queues import BELL, QUEUES, low_slots
from app.jobs.record import Claimed
from app.redis import OUTAGES, Redis
from app.transaction import Database
from worker.lease import Lease
from worker.solitude import SUSPECT_AFTER, Solitude

log = structlog.get_logger()

POLL = 1
"""Seconds after which the queues are looked at without having been woken."""
PAUSE = 0.5
"""Seconds between attempts while Redis or Postgres is away."""


@dataclass(slots=True)
class Running:
    claimed: Claimed
    task: asyncio.Task[None]
    cut: Literal["given_back", "cancelled", "lost"] = "given_back"
    """Why its task is cancelled: the worker ends, someone asked, or it is no longer ours."""


class Intake:
    """One worker's slots, and what runs in them."""

    def __init__(
        self,
        database: Database,
        claims: Claims,
        finisher: Finisher,
        attempt: Callable[[Run], Awaitable[Ending]],
        breakers: Breakers,
        pauses: Pauses,
        lease: Lease,
        *,
        worker_id: UUID,
        slots: int,
    ) -> None:
        self._database = database
        self._claims = claims
        self._finisher = finisher
        self._attempt = attempt
        self._breakers = breakers
        self._pauses = pauses
        self._lease = lease
        self.worker_id = worker_id
        self.slots = slots
        self.running: dict[JobId, Running] = {}
        self.looked_at = 0.0
        """When the queues were last looked at with success, by the monotonic clock."""
        self._woken = asyncio.Event()
        self._room = asyncio.Event()
        self._solitude = Solitude(self._update_room)
        self._update_room()
        metrics.slots.set(slots)

    def wake(self) -> None:
        """Look at the queues now."""
        self._woken.set()

    async def run(self) -> None:
        """Claim and start jobs until cancelled. What runs by then goes on."""
        while True:
            await self._room.wait()
            await self._lease.fresh()
            self._woken.clear()
            try:
                emptied = await self._fill()
            except (Unavailable, *OUTAGES) as error:
                if isinstance(error, Unavailable):
                    self._lease.doubt()
                log.warning("intake.waits", error=type(error).__name__)
                await asyncio.sleep(PAUSE)
                continue
            if emptied:
                await self._nap()

    async def run_one(self, job_id: JobId) -> None:
        """Claim one job and run it to its end, whatever the slots; or drop it if it is taken."""
        for claimed in await self._claims.claim([job_id]):
            await self._start(claimed)

    async def listen(self, redis: Redis) -> None:
        """Be woken by the bell that a hand-over rings, until cancelled."""
        while True:
            await self._room.wait()
            ring = cast("Awaitable[object]", redis.blpop([BELL], timeout=POLL))
            try:
                if await ring:
                    self.wake()
            except OUTAGES:
                await asyncio.sleep(PAUSE)

    async def drain(self, grace: float) -> list[JobId]:
        """Wait that many seconds for what runs, then cut the rest short and give it back.

        Returns:
            The jobs that were cut short.
        """
        if tasks := [entry.task for entry in self.running.values()]:
            await asyncio.wait(tasks, timeout=grace)
        rest = list(self.running.values())
        for entry in rest:
            entry.task.cancel()
        await asyncio.gather(*(entry.task for entry in rest), return_exceptions=True)
        return [entry.claimed.id for entry in rest]

    def cancel(self, job_ids: Iterable[JobId]) -> None:
        """End these jobs as cancelled, if they run here."""
        for job_id in job_ids:
            if entry := self.running.get(job_id):
                entry.cut = "cancelled"
                entry.task.cancel()

    def abandon(self, job_ids: Iterable[JobId]) -> None:
        """Stop working at jobs that have become another worker's."""
        for job_id in job_ids:
            if entry := self.running.get(job_id):
                entry.cut = "lost"
                entry.task.cancel()

    async def _nap(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._woken.wait()

    async def _fill(self) -> bool:
        """Fill the free slots; whether the queues had fewer jobs than that for us."""
        free = self.slots - len(self.running)
        claimed = await self._claims.take(free, self._room_by_queue())
        self.looked_at = monotonic()
        for job in claimed:
            self._start(job)
        return len(claimed) < free

    def _room_by_queue(self) -> dict[Queue, int]:
        room: dict[Queue, int] = dict.fromkeys(QUEUES, self.slots)
        room["low"] = max(0, low_slots(self.slots) - self._running_low())
        if self._solitude.wanted_by:
            room["low"] = 0
        return {q: 0 if q in self._pauses.queues else free for q, free in room.items()}

    def _running_low(self) -> int:
        return sum(entry.claimed.queue == "low" for entry in self.running.values())

    def _update_room(self) -> None:
        """Those who want solitude wait for the long jobs to end, and only then for the rest."""
        alone = self._solitude.wanted_by > 0 and self._running_low() <= self._solitude.wanted_by
        if len(self.running) < self.slots and not alone:
            self._room.set()
        else:
            self._room.clear()

    def _start(self, claimed: Claimed) -> asyncio.Task[None]:
        task = asyncio.create_task(self._see_through(claimed), name=f"{claimed.kind} {claimed.id}")
        self.running[claimed.id] = Running(claimed, task)
        self._update_room()
        return task

    async def _see_through(self, claimed: Claimed) -> None:
        structlog.contextvars.bind_contextvars(
            job=str(claimed.id),
            kind=claimed.kind,
            attempt=claimed.attempt,
            request_id=claimed.request_id,
        )
        waited = (claimed.started_at - claimed.run_at).total_seconds()
        metrics.started.labels(claimed.kind, claimed.queue).inc()
        metrics.wait_seconds.labels(claimed.kind).observe(max(0.0, waited))
        began, outcome = monotonic(), "given_back"
        try:
            outcome = await self._end(claimed)
        except LeaseLost:
            outcome = "lost"
        except asyncio.CancelledError:
            outcome = self.running[claimed.id].cut
        except Exception:
            log.exception("job.end_not_recorded")
        finally:
            if outcome == "lost":
                log.warning("job.lease_lost")
                metrics.leases_lost.inc()
            metrics.ended.labels(claimed.kind, claimed.queue, outcome).inc()
            metrics.run_seconds.labels(claimed.kind).observe(monotonic() - began)
            del self.running[claimed.id]
            metrics.running.set(len(self.running))
            self._solitude.ended()
            self._update_room()
            self.wake()

    async def _end(self, claimed: Claimed) -> str:
        run = Run(self._database, claimed)
        try:
            ending = await self._run(run)
        except asyncio.CancelledError:
            if self.running[claimed.id].cut != "cancelled":
                raise
            ending = Ending("cancelled", "on request")
        if ending.outcome == "done":
            if not run.finished:
                await self._finisher.done(claimed)
            await self._succeeded(claimed.kind)
        else:
            await self._record(claimed, ending)
        return ending.outcome

    async def _succeeded(self, kind: str) -> None:
        """What this success shows to be back need not be waited for any longer."""
        for dependency in self._breakers.success(kind):
            log.info("breaker.closed", dependency=dependency)
            await statements.wake_waiting(self._database, dependency)

    async def _run(self, run: Run) -> Ending:
        if run.claimed.crashes < SUSPECT_AFTER:
            return await self._attempt(run)
        async with self._solitude.granted(lambda: len(self.running)):
            log.warning("job.runs_alone", crashes=run.claimed.crashes)
            await run.mark_alone()
            return await self._attempt(run)

    async def _record(self, claimed: Claimed, ending: Ending) -> None:
        log.warning("job.ended", outcome=ending.outcome, error=ending.error)
        while True:
            try:
                return await record(self._database, self.worker_id, claimed, ending)
            except Unavailable:
                await asyncio.sleep(PAUSE)
