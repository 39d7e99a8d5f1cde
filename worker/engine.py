"""The worker's engine, which builds, starts and drains its loops."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from time import monotonic
from typing import Any, ParamSpec
from uuid import uuid4

import structlog

from app.errors import StatementCancelled, Unavailable, without_values
from app.event_loop import cancel_all, watch_lag
from app.jobs import statements
from app.jobs.handlers import Handlers
from app.jobs.pauses import Pauses
from app.jobs.reclaim import release
from app.postgres.failures import POSTGRES_ERRORS
from app.redis import OUTAGES, open_redis
from app.resources import Resources
from app.settings import Settings
from worker.breakers import Breakers
from worker.claim import Claimer, return_taken_ids
from worker.claim_loop import POLL_INTERVAL_S, ClaimLoop
from worker.cron import Clock, run_schedule_loop
from worker.finish import Finisher
from worker.health import Health
from worker.heartbeat import (
    Heartbeat,
    compare_until_cancelled,
    reclaim_until_cancelled,
    relay_until_cancelled,
)
from worker.job_executor import JobExecutor
from worker.lease import Lease
from worker.parking import Parking
from worker.queue_metrics import initialize_counters, publish_until_cancelled
from worker.relay import Relay
from worker.runner import Runner
from worker.slots import Slots
from worker.suspects import run_in_own_process

log = structlog.get_logger()

P = ParamSpec("P")

RESTART_DELAY_S = 1.0
"""Seconds until a loop is restarted after an unexpected Postgres error."""


class Engine:
    """The claim loop and the loops around it, run in arq's process, or without arq in tests."""

    def __init__(
        self,
        settings: Settings,
        resources: Resources,
        *,
        clock: Clock | None,
        handlers: Handlers,
    ) -> None:
        """
        Args:
            clock: the schedules' clock. If None, this worker fires no ticks.
            handlers: the handler for each job type.
        """
        self._settings = settings
        self._resources = resources
        self._clock = clock
        self._stack = AsyncExitStack()
        database, redis, worker = resources.engine_database, resources.redis, settings.worker
        self.worker_id = uuid4()
        random_float = random.SystemRandom().random
        self.pauses = pauses = Pauses()
        breakers = Breakers(database, self.worker_id, pauses, monotonic)
        self._lease = Lease()
        self.slots = slots = Slots(worker.slots, pauses)
        self._finisher = Finisher(database)
        executor = JobExecutor(
            resources,
            breakers,
            random_float,
            handlers,
            partial(run_in_own_process, worker_id=self.worker_id),
        )
        runner = Runner(
            database, resources.database, slots, self._finisher, executor, self.worker_id
        )
        claimer = Claimer(
            database,
            redis,
            resources.dispatcher,
            self.worker_id,
            worker.queue_weights,
            random_float(),
        )
        self.claim_loop = ClaimLoop(claimer, slots, self._lease, runner)
        self._heartbeat = Heartbeat(
            database, self.claim_loop, slots, pauses, self._lease, breakers, self.worker_id
        )
        self._relay = Relay(database, redis, resources.dispatcher, self.worker_id)
        self._parking = Parking(database, resources.dispatcher, self._relay)
        self._health = Health(resources, self.claim_loop)
        self.failed = False
        """Whether a loop has failed. The process then drains and exits with 1."""
        self._draining: asyncio.Task[None] | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._claiming: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the loops and claim jobs.

        Raises:
            SettingsError: METRICS_PORT or HOST cannot be used.
        """
        worker, host = self._settings.worker, self._settings.http.host
        await self._stack.enter_async_context(self._health.serve(host, worker.metrics_port))
        wakeup_redis = await self._stack.enter_async_context(
            open_redis(self._settings.redis.url, socket_timeout=POLL_INTERVAL_S + 4)
        )
        initialize_counters()
        self._sending_heartbeats = self._start_loop(self._heartbeat.run)
        self._loops = [
            self._sending_heartbeats,
            self._start_loop(watch_lag),
            self._start_loop(publish_until_cancelled, self._resources.engine_database, self.pauses),
            self._start_loop(self._finisher.run),
            self._start_loop(relay_until_cancelled, self._relay),
            self._start_loop(compare_until_cancelled, self._relay),
            self._start_loop(self._parking.run),
            self._start_loop(
                reclaim_until_cancelled,
                self._resources.engine_database,
                self._resources.redis,
                self._resources.dispatcher,
            ),
        ]
        if self._clock is not None:
            self._loops.append(
                self._start_loop(run_schedule_loop, self._resources.database, self._clock)
            )
        self._claiming = [
            self._start_loop(self.claim_loop.run),
            self._start_loop(self.claim_loop.listen_for_wakeups, wakeup_redis),
        ]
        log.info("worker.started", slots=worker.slots, worker=str(self.worker_id))

    async def drain(self) -> None:
        """Stop claiming, return what has not started, and wait for the running jobs.

        Jobs that run longer than the grace period are interrupted and returned, too.

        Before `start`, this does nothing. A second call waits for the first to finish. Cancelling
        the first call cuts the drain short.
        """
        if self._draining is not None:
            await asyncio.wait((self._draining,))
        elif self._loops:
            self._draining = asyncio.create_task(self._drain(), name="drain")
            await self._draining

    async def _drain(self) -> None:
        await cancel_all(self._claiming)
        if self._sending_heartbeats.done():  # a bug has ended it; the jobs still need it
            self._loops.append(self._start_loop(self._heartbeat.run))
        await self._or_warn(self._return_unstarted())
        grace = self._settings.worker.shutdown_grace.total_seconds()
        interrupted = await self.claim_loop.drain(grace)
        await cancel_all(self._loops)
        await self._or_warn(self._deregister())
        await self._stack.aclose()
        log.info("worker.drained", interrupted=len(interrupted))

    async def has_work(self) -> bool:
        """Tell whether a job is running here, or is due in a queue that is not paused.

        If Postgres does not answer, assume that one is.
        """
        try:
            return await statements.has_work(
                self._resources.engine_database, worker_id=self.worker_id
            )
        except Unavailable:
            return True

    def _start_loop(
        self, loop: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Task[None]:
        """Start a task that never ends. If it fails, the process drains and exits."""
        task = asyncio.create_task(_keep_running(lambda: loop(*args, **kwargs)))
        task.add_done_callback(self._on_loop_ended)
        return task

    def _on_loop_ended(self, loop: asyncio.Task[None]) -> None:
        if not loop.cancelled() and (error := loop.exception()):
            log.critical("worker.loop_failed", exc_info=error)
            if not self.failed:  # a second signal would cut the drain short
                self.failed = True
                signal.raise_signal(signal.SIGTERM)

    async def _return_unstarted(self) -> None:
        """Release the jobs that were claimed but are not running, and return the taken ids."""
        database, worker_id = self._resources.engine_database, self.worker_id
        for row in await statements.running_on_worker(database, worker_id=worker_id):
            if row.id not in self.slots.running:
                await release(database, row.id, row.token)
        await return_taken_ids(
            database, self._resources.redis, self._resources.dispatcher, worker_id
        )

    async def _deregister(self) -> None:
        """Return all that this worker holds, and delete its row. Nothing is running any more."""
        await self._return_unstarted()
        await statements.remove_worker(self._resources.engine_database, id=self.worker_id)

    async def _or_warn(self, returning: Awaitable[None]) -> None:
        """Return jobs. Other workers reclaim those that cannot be returned during an outage."""
        try:
            await returning
        except (Unavailable, StatementCancelled, *OUTAGES) as error:
            log.warning("worker.return_failed", error=repr(error))


async def _keep_running(loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a loop, and restart it after a Postgres error that it does not expect.

    It means that a statement has a bug, or that Postgres ended the statement. A bug in Python is
    raised.
    """
    while True:
        try:
            return await loop()
        except (StatementCancelled, *POSTGRES_ERRORS) as error:
            log.exception("worker.loop_interrupted", exc_info=without_values(error))
            await asyncio.sleep(RESTART_DELAY_S)
