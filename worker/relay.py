"""The relay: brings to Redis what Postgres knows to be due and Redis does not hold.

It runs in every worker, without locks: adding an id twice is harmless, since a row can be claimed
only once. It is also what makes deferred jobs start, retries return and a flushed Redis recover.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

import structlog

from app.jobs import statements
from app.jobs.redis_queue import EPOCH, Dispatcher, queue_key
from app.jobs.rows import Waiting
from app.postgres.database import Database, Dispatch
from app.redis import Redis

log = structlog.get_logger()

PAGE = 1000


class Relay:
    def __init__(self, database: Database, redis: Redis, dispatcher: Dispatcher) -> None:
        self._database = database
        self._redis = redis
        self._dispatcher = dispatcher

    async def run_once(self) -> int:
        """Look once, and hand over what Redis lacks.

        Returns:
            How many ids Redis lacked.

        Raises:
            redis.RedisError, Unavailable: Redis or Postgres is away; the next turn goes on.
        """
        if not await self._redis.exists(EPOCH):
            await self._forget_dispatched()
        added = await self._dispatch_missing(
            await statements.not_seen_lately(self._database, most=PAGE)
        )
        while page := await statements.never_dispatched(self._database, most=PAGE):
            added += await self._dispatch_missing(page)
            if len(page) < PAGE:
                break
        return added

    async def _forget_dispatched(self) -> None:
        """Redis holds nothing of ours, or never did: every waiting job is to be looked at again."""
        await statements.forget_dispatched(self._database)
        await self._redis.set(EPOCH, 1)
        log.info("relay.empty_redis_detected")

    async def _dispatch_missing(self, waiting: Sequence[Waiting]) -> int:
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
        # Stamped before they are added: an attempt that began and failed in between would be
        # stamped by its old reading, and wait for five seconds.
        await statements.mark_dispatched(
            self._database,
            ids=[job.id for job in waiting],
            attempts=[job.attempt for job in waiting],
        )
        if missing:
            await self._dispatcher.add(missing)
        return len(missing)
