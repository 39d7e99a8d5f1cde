"""The relay, which dispatches the due jobs whose ids Redis lacks.

It starts deferred jobs and retries, and refills a flushed Redis. It runs in every worker without
locks: adding an id twice is harmless, because a row can be claimed only once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

import structlog

from app.jobs import statements
from app.jobs.redis_queue import EPOCH_KEY, Dispatcher, queue_key
from app.jobs.rows import UnclaimedJob
from app.postgres.database import Database, Dispatch
from app.redis import Redis

log = structlog.get_logger()

PAGE = 1000
"""The most jobs to read at a time."""


class Relay:
    def __init__(self, database: Database, redis: Redis, dispatcher: Dispatcher) -> None:
        self._database = database
        self._redis = redis
        self._dispatcher = dispatcher

    async def run_once(self) -> int:
        """Dispatch the due jobs that Redis lacks.

        Returns:
            The number of ids that Redis lacked.

        Raises:
            redis.RedisError, Unavailable: Redis or Postgres is unavailable. Call again to continue.
        """
        if not await self._redis.exists(EPOCH_KEY):
            await self._forget_dispatched()
        added = await self._dispatch_missing(
            await statements.due_for_redis_check(self._database, limit=PAGE)
        )
        while page := await statements.undispatched(self._database, limit=PAGE):
            added += await self._dispatch_missing(page)
            if len(page) < PAGE:
                break
        return added

    async def _forget_dispatched(self) -> None:
        """Mark all waiting jobs as not dispatched: Redis is new or has lost its data."""
        await statements.reset_dispatched(self._database)
        await self._redis.set(EPOCH_KEY, 1)
        log.info("relay.empty_redis_detected")

    async def _dispatch_missing(self, waiting: Sequence[UnclaimedJob]) -> int:
        if not waiting:
            return 0
        missing: list[Dispatch] = []
        for queue, jobs in groupby(sorted(waiting, key=attrgetter("queue")), attrgetter("queue")):
            ids = [job.id for job in jobs]
            scores = await self._redis.zmscore(queue_key(queue), [str(job_id) for job_id in ids])
            missing += [
                Dispatch(queue, job_id)
                for job_id, score in zip(ids, scores, strict=True)
                if score is None
            ]
        # Mark the jobs before adding their ids. Otherwise a job could be claimed and released in
        # between, and marking it then would delay its next dispatch by five seconds.
        await statements.mark_dispatched(
            self._database,
            ids=[job.id for job in waiting],
            attempts=[job.attempt for job in waiting],
        )
        if missing:
            await self._dispatcher.add(missing)
        return len(missing)
