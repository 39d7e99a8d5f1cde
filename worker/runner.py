"""The runner, which runs claimed jobs in their slots until their outcomes are committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from uuid import UUID

import structlog

from app import logs, metrics
from app.errors import StatementCancelled, Unavailable
from app.jobs import Run
from app.jobs.outcomes import LeaseLost
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database
from worker.finish import Finisher
from worker.outcome import Outcome, record
from worker.slots import RunningJob, Slots

log = structlog.get_logger()

RETRY_DELAY_S = 0.5
"""Seconds between two tries to record an outcome while Postgres is unavailable."""


class Runner:
    """The runner. Each claimed job gets its own task."""

    def __init__(
        self,
        database: Database,
        handler_database: Database,
        slots: Slots,
        finisher: Finisher,
        execute: Callable[[Run], Awaitable[Outcome]],
        worker_id: UUID,
    ) -> None:
        """Handlers use the pool `handler_database`; `database` is for recording outcomes."""
        self._database = database
        self._handler_database = handler_database
        self._slots = slots
        self._finisher = finisher
        self._execute = execute
        self._worker_id = worker_id

    def start(self, claimed: ClaimedJob) -> asyncio.Task[None]:
        """Give the job a slot, and start a task that runs the job."""
        running = RunningJob(claimed)
        running.task = task = asyncio.create_task(self._run_to_end(running))
        self._slots.occupy(running)
        return task

    async def _run_to_end(self, running: RunningJob) -> None:
        claimed = running.claimed
        logs.ATTEMPT.set(claimed)
        began, outcome = monotonic(), "released"
        counts = metrics.of_kind(claimed.kind, claimed.queue)
        counts.started.inc()
        counts.wait_seconds.observe(max(0.0, (claimed.started_at - claimed.run_at).total_seconds()))
        try:
            outcome = await self._execute_and_record(running)
        except LeaseLost:
            outcome = "lost"
        except asyncio.CancelledError:
            outcome = running.interruption
        except Exception:
            log.exception("job.recording_failed")
        finally:
            counts.ended(outcome).inc()
            counts.run_seconds.observe(monotonic() - began)
            self._slots.vacate(running)
        if outcome == "lost":
            log.warning("job.lease_lost")
            metrics.leases_lost.inc()

    async def _execute_and_record(self, running: RunningJob) -> str:
        claimed = running.claimed
        run = Run(self._handler_database, claimed)
        try:
            outcome = await self._execute(run)
        except asyncio.CancelledError:
            if running.interruption != "cancelled":
                raise
            outcome = Outcome("cancelled", "cancelled on request")
        if outcome.name != "done":
            await self._record(claimed, outcome)
            return outcome.name
        if not run.finished:
            with self._slots.committing():
                await self._finisher.finish(claimed)
        return outcome.name

    async def _record(self, claimed: ClaimedJob, outcome: Outcome) -> None:
        log.warning("attempt.ended", outcome=outcome.name, error=outcome.error)
        while True:
            try:
                return await record(self._database, self._worker_id, claimed, outcome)
            except (Unavailable, StatementCancelled):
                await asyncio.sleep(RETRY_DELAY_S)
