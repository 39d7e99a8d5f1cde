"""Finishing: jobs that are done at about the same time are marked in one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from app.errors import Unavailable
from app.jobs import statements
from app.jobs.job import JobId
from app.jobs.outcomes import LeaseLost
from app.jobs.rows import Claimed
from app.postgres.database import Database

MAX_BATCH = 500
RETRY_DELAY_S = 0.5
"""Seconds between attempts while Postgres is away."""


class _Finishing(NamedTuple):
    claimed: Claimed
    committed: asyncio.Future[None]


class Finisher:
    """Marks jobs done. What comes while a statement runs goes into the next one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Finishing] = []
        self._arrived = asyncio.Event()

    async def finish(self, claimed: Claimed) -> None:
        """Return once `done` is committed. Waits as long as Postgres is away.

        Raises:
            LeaseLost: the job is another worker's now.
        """
        committed = asyncio.get_running_loop().create_future()
        self._waiting.append(_Finishing(claimed, committed))
        self._arrived.set()
        await committed

    async def run(self) -> None:
        """Commit what comes, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._waiting[:MAX_BATCH]:
                del self._waiting[: len(batch)]
                await self._finish(batch)

    async def _finish(self, batch: Sequence[_Finishing]) -> None:
        try:
            finished = await self._commit([waiting.claimed for waiting in batch])
        except Exception as error:  # noqa: BLE001 # whatever one row does must not touch the others
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

    async def _commit(self, jobs: Sequence[Claimed]) -> set[JobId]:
        """The jobs that are done. Tries until Postgres answers: repeating the statement is safe."""
        while True:
            try:
                done = await statements.finish_many(
                    self._database, ids=[job.id for job in jobs], tokens=[job.token for job in jobs]
                )
            except Unavailable:
                await asyncio.sleep(RETRY_DELAY_S)
            else:
                return set(done)
