"""Marking jobs as done, with one statement for those that end at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from app.errors import StatementCancelled, Unavailable
from app.jobs import statements
from app.jobs.job import JobId
from app.jobs.outcomes import LeaseLost
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database

MAX_BATCH = 500
"""The most jobs in one statement."""
RETRY_DELAY_S = 0.5
"""Seconds between two tries to commit while Postgres is unavailable."""


class _Finishing(NamedTuple):
    claimed: ClaimedJob
    committed: asyncio.Future[None]


class Finisher:
    """The finisher, which marks jobs as done, one batch at a time.

    Jobs that arrive while a batch is being committed go into the next one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Finishing] = []
        self._arrived = asyncio.Event()

    async def finish(self, claimed: ClaimedJob) -> None:
        """Mark the job as done, and wait for the commit, even while Postgres is unavailable.

        Raises:
            LeaseLost: this attempt has lost its job, which is not marked as done.
        """
        committed = asyncio.get_running_loop().create_future()
        self._waiting.append(_Finishing(claimed, committed))
        self._arrived.set()
        await committed

    async def run(self) -> None:
        """Mark jobs as done as they arrive, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._waiting[:MAX_BATCH]:
                del self._waiting[: len(batch)]
                await self._finish(batch)

    async def _finish(self, batch: Sequence[_Finishing]) -> None:
        try:
            finished = await self._commit([waiting.claimed for waiting in batch])
        except Exception as error:  # noqa: BLE001 # one bad row must not fail the others
            if len(batch) > 1:
                for waiting in batch:
                    await self._finish([waiting])
            elif not batch[0].committed.done():
                batch[0].committed.set_exception(error)
            return
        for claimed, committed in batch:
            if committed.done():
                continue
            if claimed.id in finished:
                committed.set_result(None)
            else:
                committed.set_exception(LeaseLost())

    async def _commit(self, jobs: Sequence[ClaimedJob]) -> set[JobId]:
        """Mark jobs as done, and return those that are done. A retry returns the same jobs."""
        while True:
            try:
                done = await statements.finish_many(
                    self._database, ids=[job.id for job in jobs], tokens=[job.token for job in jobs]
                )
            except (Unavailable, StatementCancelled):
                await asyncio.sleep(RETRY_DELAY_S)
            else:
                return set(done)
