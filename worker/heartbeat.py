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

INTERVAL = 1.0


class Heartbeat:
    """Keeps the lease of everything that this worker runs."""

    def __init__(
        self,
        engine: Database,
        claim_loop: ClaimLoop,
        slots: Slots,
        pauses: Pauses,
        lease: Lease,
        worker_id: UUID,
    ) -> None:
        self._engine = engine
        self._claim_loop = claim_loop
        self._slots = slots
        self._worker_id = worker_id
        self._pauses = pauses
        self._lease = lease
        self._in_doubt: set[JobId] = set()

    async def run(self) -> None:
        """Heartbeat until cancelled."""
        while True:
            began = monotonic()
            try:
                await self.heartbeat()
            except Unavailable as error:
                self._lease.doubt()
                log.warning("heartbeat.missed", error=type(error).__name__)
            await asyncio.sleep(max(0.1, INTERVAL - (monotonic() - began)))

    async def heartbeat(self) -> None:
        """Renew the lease, then bring what runs here and what Postgres says to agreement.

        Raises:
            Unavailable: Postgres is away.
        """
        mine, heard = self._worker_id, monotonic()
        await statements.heartbeat(
            self._engine,
            id=mine,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=self._slots.count,
        )
        before = set(self._slots.running)
        rows = await statements.running_here(self._engine, worker_id=mine)
        self._claim_loop.cancel(row.id for row in rows if row.cancelled)
        await self._settle(rows, before)
        for kind in self._pauses.hear(await statements.pauses(self._engine)):
            await statements.wake_blocked(self._engine, blocked_on=blocked_on_kind(kind))
        self._lease.renew(heard)

    async def _settle(self, rows: Collection[Running], before: set[JobId]) -> None:
        """Act on what two heartbeats in a row found: one alone may have met a claim or an end."""
        here, there = set(self._slots.running), {row.id for row in rows}
        doubted = (there - here - before) | ((before & here) - there)
        settled = doubted & self._in_doubt
        self._in_doubt = doubted
        self._claim_loop.abandon(settled & here)
        for row in rows:
            if row.id in settled and row.id not in here:
                log.warning("heartbeat.gives_back", job=str(row.id))
                await release(self._engine, row.id, row.token)


async def relay_until_cancelled(relay: Relay) -> None:
    """Once a second, hand over what Redis lacks."""
    while True:
        try:
            await relay.turn()
        except (Unavailable, *OUTAGES) as error:
            log.warning("relay.waits", error=type(error).__name__)
        await asyncio.sleep(INTERVAL)


async def reclaim_if_trusted(engine: Database, lease: Lease) -> Sequence[Lost]:
    """Put back what lost workers ran, unless this worker was itself cut off recently.

    Raises:
        Unavailable: Postgres is away.
    """
    if not lease.trusted:
        return []
    if lost := await reclaim(engine):
        metrics.reclaimed.inc(len(lost))
        log.warning("relay.took_over", jobs=[str(job.id) for job in lost])
    return lost


async def reclaim_until_cancelled(engine: Database, relay: Relay, lease: Lease) -> None:
    """Twice a second, put back what lost workers ran."""
    while True:
        try:
            if await reclaim_if_trusted(engine, lease):
                await relay.turn()
        except (Unavailable, *OUTAGES) as error:
            log.warning("reclaim.waits", error=type(error).__name__)
        await asyncio.sleep(INTERVAL / 2)
