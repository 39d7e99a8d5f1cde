"""Parking: blocked jobs wait in Postgres alone, so that they cost nothing.

When a kind is paused or a breaker opens, the kind's jobs that are already waiting are parked:
they get a `blocked_on`, and their ids leave Redis. New ones are inserted parked. Once nothing
blocks them any more, they are woken, in their old order. The leader of the relay does this, in
batches, so that neither the heartbeat nor an operator waits for it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from app import metrics
from app.errors import Unavailable
from app.jobs import statements
from app.jobs.job import JobId, Queue
from app.jobs.redis_queue import QUEUES, Dispatcher
from app.jobs.rows import Block
from app.postgres.database import Database, Dispatch
from app.redis import OUTAGES
from worker.relay import ALWAYS, NO_JOB, Relay

log = structlog.get_logger()

BATCH = 5_000
"""The most jobs to read at a time."""
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""A time after all jobs."""
INTERVAL_S = 0.5
"""Seconds between two checks of what is blocked, if there was nothing left to do."""


class _Position(NamedTuple):
    """The last job that was considered for parking. The queues are considered one after another."""

    queue: Queue
    due_at: datetime
    job_id: JobId


class Parking:
    def __init__(self, database: Database, dispatcher: Dispatcher, relay: Relay) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._relay = relay
        self._positions: dict[Block, _Position | None] = {}
        """How far the jobs of each block have been parked; None if all have been."""

    async def run(self) -> None:
        """Park and wake jobs until cancelled, while this worker runs the relay."""
        while True:
            busy = False
            try:
                if self._relay.leads:
                    busy = await self.take_turn()
                else:
                    self._positions.clear()
            except (Unavailable, *OUTAGES) as error:
                log.warning("parking.failed", error=repr(error))
            if not busy:
                await asyncio.sleep(INTERVAL_S)

    async def take_turn(self) -> bool:
        """Wake a batch of what is no longer blocked, let probes through, and park a batch.

        Returns:
            Whether there is more to park or to wake.

        Raises:
            redis.RedisError, Unavailable: Redis or Postgres is unavailable. Call again to continue.
        """
        blocks = await statements.blocked_kinds(self._database)
        start = _Position(QUEUES[0], ALWAYS, NO_JOB)
        self._positions = {block: self._positions.get(block, start) for block in blocks}
        probes = await statements.next_probes(self._database)
        await self._dispatcher.add([Dispatch(job.queue, job.id, job.run_at) for job in probes])
        busy = False
        for blocked_on in await statements.unblocked(self._database):
            await self._wake(blocked_on)
            busy = True
        for block, position in self._positions.items():
            if position is not None:
                self._positions[block] = await self._park(block, position)
                busy = True
        return busy

    async def _wake(self, blocked_on: str) -> None:
        woken = await statements.wake(self._database, blocked_on=blocked_on)
        log.info("jobs.woken", blocked_on=blocked_on, jobs=len(woken))
        await self._dispatcher.add(
            [Dispatch(job.queue, job.id, job.run_at) for job in woken if job.due]
        )

    async def _park(self, block: Block, position: _Position) -> _Position | None:
        """Park the block's jobs in the next batch, and return its last job, or None at the end."""
        batch = await statements.due_jobs(
            self._database,
            queue=position.queue,
            after=position.due_at,
            after_id=position.job_id,
            until=NEVER,
            limit=BATCH,
        )
        if ids := [job.id for job in batch if job.kind == block.kind]:
            parked = set(
                await statements.park(self._database, ids=ids, blocked_on=block.blocked_on)
            )
            await self._dispatcher.remove(
                [Dispatch(job.queue, job.id, job.run_at) for job in batch if job.id in parked]
            )
            metrics.parked.inc(len(parked))
            log.info("jobs.parked", blocked_on=block.blocked_on, jobs=len(parked))
        if len(batch) == BATCH:
            return _Position(position.queue, batch[-1].due_at, batch[-1].id)
        next_queues = QUEUES[QUEUES.index(position.queue) + 1 :]
        return _Position(next_queues[0], ALWAYS, NO_JOB) if next_queues else None
