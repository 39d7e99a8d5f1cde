"""The relay, which dispatches the due jobs whose ids Redis lacks.

It starts deferred jobs and retries, and refills a Redis that has lost data. One worker at a time
runs it. It writes nothing to the jobs' rows: its mark, which is kept in Postgres and in Redis, is
the time up to which Redis was given the ids of all jobs that were due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import structlog

from app import metrics
from app.jobs import statements
from app.jobs.job import JobId, Queue
from app.jobs.redis_queue import (
    MARK_KEY,
    QUEUES,
    TAKERS_KEY,
    Dispatcher,
    queue_key,
    set_aside_foreign_keys,
)
from app.jobs.rows import DueJob, RelayState
from app.postgres.database import Database, Dispatch
from app.redis import Redis, ResponseError
from worker.claim import parse_id, return_taken_ids

log = structlog.get_logger()

PAGE = 1000
"""The most jobs to read at a time."""
OVERLAP = timedelta(seconds=2)
"""How far before the mark a turn starts reading: a job is visible only once it is committed."""
LONG_OVERLAP = timedelta(seconds=60)
"""The overlap of every tenth turn, for transactions that took longer to commit."""
TURNS_PER_LONG_OVERLAP = 10
TURNS_PER_COUNT = 5
"""Every fifth turn compares the sizes of the queues with Postgres."""
MAX_COUNT = 10_000
"""The most jobs to count in a queue. Larger queues are only compared in full."""
TURNS_PER_RETURN = 60
"""Every sixtieth turn dispatches again what missing workers had taken."""
FULL_INTERVAL = timedelta(minutes=5)
"""How often all due jobs are compared with Redis."""

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""A time before all jobs."""
NO_JOB = JobId(UUID(int=0))
"""An id that sorts before those of all jobs."""


class Relay:
    """A worker's relay, which works only while no other worker's does."""

    def __init__(
        self, database: Database, redis: Redis, dispatcher: Dispatcher, worker_id: UUID
    ) -> None:
        self._database = database
        self._redis = redis
        self._dispatcher = dispatcher
        self._worker_id = worker_id
        self.leads = False
        """Whether this worker runs the relay."""
        self._turns = 0
        self._too_small: set[Queue] = set()
        """The queues that had fewer ids in Redis than due jobs at the last count."""
        self._to_compare: set[Queue] = set()
        self._compare = asyncio.Event()
        """Set while there are queues to compare in full."""
        self._compared_at = ALWAYS
        """When the last full comparison of all queues began."""
        self._turn_at = ALWAYS
        """When the last turn began, by Postgres's clock."""
        self._announced = False
        """Whether this worker has asked for a comparison since it started."""

    async def take_turn(self) -> int:
        """Dispatch the jobs that have become due since the mark, and move the mark.

        Returns:
            The number of ids that Redis lacked.

        Raises:
            redis.RedisError, Unavailable: Redis or Postgres is unavailable. The mark stays.
        """
        if not self._announced:
            await statements.request_comparison(self._database)
            self._announced = True
        state = await statements.relay_state(self._database, worker_id=self._worker_id)
        metrics.outbox_lag.set(max(0.0, (state.now - state.mark).total_seconds()))
        if not await self._lead(state):
            return 0
        self._turn_at = state.now
        since = await self._start_of_turn(state)
        added = 0
        for queue in QUEUES:
            after, after_id = since, NO_JOB
            while page := await self._page(queue, after, after_id, state.now):
                added += await self._dispatch_missing(queue, page)
                if len(page) < PAGE:
                    break
                after, after_id = page[-1].due_at, page[-1].id
        # Only if the mark is still there, so that a flush during this turn does not go unnoticed.
        await self._redis.set(MARK_KEY, _milliseconds(state.now), xx=True)
        await statements.move_mark(self._database, worker_id=self._worker_id, mark=state.now)
        if self._turns % TURNS_PER_COUNT == 0:
            await self._compare_sizes()
        if self._turns % TURNS_PER_RETURN == 0:
            await self._return_ids_of_missing_workers()
        self._turns += 1
        return added

    async def wait_for_comparison_request(self) -> None:
        """Wait until queues have to be compared in full."""
        await self._compare.wait()

    async def compare_queues(self) -> int:
        """Compare all due jobs of the requested queues with Redis, one page of each in turn.

        Returns:
            The number of ids that Redis lacked.

        Raises:
            redis.RedisError, Unavailable: Redis or Postgres is unavailable. Call again to continue.
        """
        last = dict.fromkeys(self._to_compare, (ALWAYS, NO_JOB))
        self._to_compare.clear()
        self._compare.clear()
        until, added = self._turn_at, 0
        try:
            while last and self.leads:
                for queue, (after, after_id) in list(last.items()):
                    page = await self._page(queue, after, after_id, until)
                    added += await self._dispatch_missing(queue, page)
                    if len(page) < PAGE:
                        del last[queue]
                    else:
                        last[queue] = page[-1].due_at, page[-1].id
        except BaseException:
            self._request_comparison(last)
            raise
        if added:
            log.info("relay.ids_were_missing", ids=added)
        return added

    async def _lead(self, state: RelayState) -> bool:
        """Tell whether this worker runs the relay; take it over if no other worker runs it."""
        if state.leads:
            self.leads = True
        else:
            self.leads = state.vacant and bool(
                await statements.take_relay(self._database, worker_id=self._worker_id)
            )
            self._compared_at = ALWAYS
        return self.leads

    async def _start_of_turn(self, state: RelayState) -> datetime:
        """Return the time from which this turn compares due jobs.

        If Redis has lost its mark or has an older one, it has lost ids. All due jobs are then
        compared; meanwhile, turns see to the jobs that become due.
        """
        compared_long_ago = self._compared_at <= max(
            state.compare_requested_at, state.now - FULL_INTERVAL
        )
        found = await self._mark_in_redis()
        has_lost_data = found is None or found < _milliseconds(state.mark)
        if has_lost_data:
            log.warning("relay.redis_lost_data", mark=found)
            await self._redis.set(MARK_KEY, _milliseconds(state.now))
        if has_lost_data or compared_long_ago:
            self._compared_at = state.now
            self._request_comparison(QUEUES)
            return state.now - LONG_OVERLAP
        is_long = self._turns % TURNS_PER_LONG_OVERLAP == 0
        return min(state.mark, state.now) - (LONG_OVERLAP if is_long else OVERLAP)

    async def _mark_in_redis(self) -> int | None:
        try:
            found = await self._redis.get(MARK_KEY)
            return None if found is None else int(found)
        except ValueError:  # somebody else has written it
            return None
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            await set_aside_foreign_keys(self._redis, {MARK_KEY: "string"})
            return None

    def _request_comparison(self, queues: Iterable[Queue]) -> None:
        self._to_compare.update(queues)
        self._compare.set()

    async def _page(
        self, queue: Queue, after: datetime, after_id: JobId, until: datetime
    ) -> Sequence[DueJob]:
        return await statements.due_jobs(
            self._database, queue=queue, after=after, after_id=after_id, until=until, limit=PAGE
        )

    async def _dispatch_missing(self, queue: Queue, page: Sequence[DueJob]) -> int:
        if not page:
            return 0
        scores = await self._redis.zmscore(queue_key(queue), [str(job.id) for job in page])
        missing = [
            Dispatch(queue, job.id, job.run_at)
            for job, score in zip(page, scores, strict=True)
            if score is None
        ]
        if missing:
            await self._dispatcher.add(missing)
        return len(missing)

    async def _compare_sizes(self) -> None:
        """Request a full comparison of each queue that is too small in two counts in a row.

        A single count may have missed ids that were being claimed.
        """
        too_small: set[Queue] = set()
        for queue in QUEUES:
            size = await self._redis.zcard(queue_key(queue))
            if size >= MAX_COUNT:
                continue
            due = await statements.count_due_jobs(self._database, queue=queue, limit=MAX_COUNT)
            if size < due:
                too_small.add(queue)
        self._request_comparison(too_small & self._too_small)
        self._too_small = too_small

    async def _return_ids_of_missing_workers(self) -> None:
        await statements.add_missing_workers(self._database)
        workers = set(await statements.worker_ids(self._database))
        for text in await cast("Awaitable[set[bytes]]", self._redis.smembers(TAKERS_KEY)):
            worker_id = parse_id(text)
            if worker_id is None:  # somebody else has written it
                await cast("Awaitable[int]", self._redis.srem(TAKERS_KEY, text))
            elif worker_id not in workers:
                returned = await return_taken_ids(
                    self._database, self._redis, self._dispatcher, worker_id
                )
                log.info("relay.taken_ids_returned", worker=str(worker_id), ids=returned)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
