"""The heartbeat: once a second the worker reports to Postgres and reads what has changed."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Collection, Sequence
from time import monotonic
from uuid import UUID

import structlog

from app import metrics
from app.errors import Unavailable
from app.jobs import statements
from app.jobs.job import JobId
from app.jobs.pauses import Pauses, blocked_on_kind
from app.jobs.reclaim import reclaim, release
from app.jobs.rows import Lost, Running
from app.postgres.database import Database
from app.redis import OUTAGES
from worker.claim_loop import ClaimLoop
from worker.lease import Lease
from worker.relay import Relay
from worker.slots import Slots

log = structlog.get_logger()

INTERVAL_S = 1.0


class Heartbeat:
    """Keeps the lease of everything that this worker runs."""

    def __init__(
        self,
        database: Database,
        claim_loop: ClaimLoop,
        slots: Slots,
        pauses: Pauses,
        lease: Lease,
        worker_id: UUID,
    ) -> None:
        self._database = database
        self._claim_loop = claim_loop
        self._slots = slots
        self._worker_id = worker_id
        self._pauses = pauses
        self._lease = lease
        self._mismatched: set[JobId] = set()

    async def run(self) -> None:
        """Heartbeat until cancelled."""
        while True:
            began = monotonic()
            try:
                await self.heartbeat()
            except Unavailable as error:
                self._lease.suspend()
                log.warning("heartbeat.missed", error=type(error).__name__)
            await asyncio.sleep(max(0.1, INTERVAL_S - (monotonic() - began)))

    async def heartbeat(self) -> None:
        """Renew the lease, then bring what runs here and what Postgres says to agreement.

        Raises:
            Unavailable: Postgres is away.
        """
        heartbeat_at = monotonic()
        await statements.heartbeat(
            self._database,
            id=self._worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=self._slots.count,
        )
        before = set(self._slots.running)
        rows = await statements.running_here(self._database, worker_id=self._worker_id)
        self._claim_loop.cancel(row.id for row in rows if row.cancelled)
        await self._reconcile(rows, before)
        for kind in self._pauses.hear(await statements.pauses(self._database)):
            await statements.wake_blocked(self._database, blocked_on=blocked_on_kind(kind))
        self._lease.renew(heartbeat_at)

    async def _reconcile(self, rows: Collection[Running], before: set[JobId]) -> None:
        """Act on what two heartbeats in a row rows: one alone may have met a claim or an end."""
        here, there = set(self._slots.running), {row.id for row in rows}
        mismatched = (there - here - before) | ((before & here) - there)
        confirmed = mismatched & self._mismatched
        self._mismatched = mismatched
        self._claim_loop.interrupt_lost(confirmed & here)
        for row in rows:
            if row.id in confirmed and row.id not in here:
                log.warning("job.released", job=str(row.id))
                await release(self._database, row.id, row.token)


async def relay_until_cancelled(relay: Relay) -> None:
    """Once a second, hand over what Redis lacks."""
    while True:
        try:
            await relay.run_once()
        except (Unavailable, *OUTAGES) as error:
            log.warning("relay.failed", error=type(error).__name__)
        await asyncio.sleep(INTERVAL_S)


async def reclaim_if_allowed(database: Database, lease: Lease) -> Sequence[Lost]:
    """Put back what lost workers ran, unless this worker was itself cut off recently.

    Raises:
        Unavailable: Postgres is away.
    """
    if not lease.may_reclaim:
        return []
    if lost := await reclaim(database):
        metrics.reclaimed.inc(len(lost))
        log.warning("jobs.reclaimed", jobs=[str(job.id) for job in lost])
    return lost


async def reclaim_until_cancelled(database: Database, relay: Relay, lease: Lease) -> None:
    """Twice a second, put back what lost workers ran."""
    while True:
        try:
            if await reclaim_if_allowed(database, lease):
                await relay.run_once()
        except (Unavailable, *OUTAGES) as error:
            log.warning("reclaim.failed", error=type(error).__name__)
        await asyncio.sleep(INTERVAL_S / 2)
