"""The heartbeat, which renews the lease, and the loops for the relay and for dead workers."""

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
from app.jobs.pauses import Pauses
from app.jobs.reclaim import reclaim, release
from app.jobs.redis_queue import Dispatcher
from app.jobs.rows import OwnedJob, ReturnedJob
from app.postgres.database import Database, Dispatch
from app.redis import OUTAGES, Redis
from worker.breakers import Breakers
from worker.claim import return_taken_ids
from worker.claim_loop import ClaimLoop
from worker.lease import Lease
from worker.relay import Relay
from worker.slots import Slots

log = structlog.get_logger()

INTERVAL_S = 1.0
"""Seconds between two heartbeats, and between two runs of the relay."""
STRAY_CHECK_INTERVAL = 5
"""Every fifth heartbeat looks for jobs that are recorded as running here but are not."""


class Heartbeat:
    """This worker's heartbeats, which renew the lease and read the pauses and cancellations."""

    def __init__(
        self,
        database: Database,
        claim_loop: ClaimLoop,
        slots: Slots,
        pauses: Pauses,
        lease: Lease,
        breakers: Breakers,
        worker_id: UUID,
    ) -> None:
        self._database = database
        self._claim_loop = claim_loop
        self._slots = slots
        self._worker_id = worker_id
        self._pauses = pauses
        self._lease = lease
        self._breakers = breakers
        self._mismatched: set[JobId] = set()
        self._sent = 0

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        while True:
            began = monotonic()
            try:
                await self.send()
            except Unavailable as error:
                self._lease.suspend()
                log.warning("heartbeat.missed", error=error.detail)
            await asyncio.sleep(max(0.1, INTERVAL_S - (monotonic() - began)))

    async def send(self) -> None:
        """Send a heartbeat, interrupt cancelled and lost jobs, read pauses, and renew the lease.

        Raises:
            Unavailable: Postgres is unavailable.
        """
        heartbeat_at = monotonic()
        await statements.heartbeat(
            self._database,
            id=self._worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=self._slots.count,
        )
        running_before = set(self._slots.running)
        rows = await self._read_rows(running_before)
        self._claim_loop.cancel(row.id for row in rows if row.cancel_requested)
        await self._reconcile(rows, running_before)
        await self._read_pauses()
        await self._breakers.report_answers()
        self._lease.renew(heartbeat_at)

    async def _read_rows(self, running: Collection[JobId]) -> list[OwnedJob]:
        """Read the rows of these jobs by id; every fifth time, and to confirm a difference, read
        all rows under this worker's id.

        The cost of reading all of them grows while a snapshot is held open.
        """
        self._sent += 1
        if self._mismatched or self._sent % STRAY_CHECK_INTERVAL == 0:
            return await statements.running_on_worker(self._database, worker_id=self._worker_id)
        if not running:
            return []
        return await statements.running_by_id(
            self._database, ids=list(running), worker_id=self._worker_id
        )

    async def _read_pauses(self) -> None:
        open_before = self._pauses.dependencies
        self._pauses.update(
            await statements.pauses(self._database), await statements.blocked_kinds(self._database)
        )
        for dependency in open_before | self._pauses.dependencies:
            is_open = dependency in self._pauses.dependencies
            metrics.breaker_open.labels(dependency).set(is_open)

    async def _reconcile(self, rows: Collection[OwnedJob], running_before: set[JobId]) -> None:
        """Resolve differences between the jobs running here and those recorded as running here.

        A job that is running but not recorded is interrupted, and a job that is recorded but not
        running is released, once two consecutive heartbeats have found the difference: a single
        heartbeat may have coincided with a claim or with the end of a job.
        """
        running, recorded = set(self._slots.running), {row.id for row in rows}
        mismatched = (recorded - running - running_before) | ((running_before & running) - recorded)
        confirmed = mismatched & self._mismatched
        self._mismatched = mismatched
        self._claim_loop.interrupt_lost(confirmed & running)
        for row in rows:
            if row.id in confirmed and row.id not in running:
                log.warning("job.released", job=str(row.id))
                await release(self._database, row.id, row.token)


async def relay_until_cancelled(relay: Relay) -> None:
    """Once a second, let the relay take a turn."""
    while True:
        try:
            await relay.take_turn()
        except (Unavailable, *OUTAGES) as error:
            log.warning("relay.failed", error=repr(error))
        await asyncio.sleep(INTERVAL_S)


async def compare_until_cancelled(relay: Relay) -> None:
    """Compare queues in full whenever the relay requests it."""
    while True:
        await relay.wait_for_comparison_request()
        try:
            await relay.compare_queues()
        except (Unavailable, *OUTAGES) as error:
            log.warning("relay.comparison_failed", error=repr(error))
            await asyncio.sleep(INTERVAL_S)


async def reclaim_dead_workers(
    database: Database, redis: Redis, dispatcher: Dispatcher
) -> Sequence[ReturnedJob]:
    """Requeue the jobs of dead workers and return their taken ids, then remove the workers.

    Raises:
        redis.RedisError, Unavailable: Redis or Postgres is unavailable. Call again to continue.
    """
    lost = await reclaim(database)
    if lost:
        metrics.reclaimed.inc(len(lost))
        log.warning("jobs.reclaimed", jobs=[str(job.id) for job in lost])
    if due := [Dispatch(job.queue, job.id, job.run_at) for job in lost if job.due]:
        await dispatcher.add(due)
    for worker_id in await statements.dead_workers(database):
        await return_taken_ids(database, redis, dispatcher, worker_id)
        await statements.remove_dead_worker(database, id=worker_id)
    return lost


async def reclaim_until_cancelled(database: Database, redis: Redis, dispatcher: Dispatcher) -> None:
    """Twice a second, reclaim what dead workers held."""
    while True:
        try:
            await reclaim_dead_workers(database, redis, dispatcher)
        except (Unavailable, *OUTAGES) as error:
            log.warning("reclaim.failed", error=repr(error))
        await asyncio.sleep(INTERVAL_S / 2)
