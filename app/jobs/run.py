"""A run: what a handler can do with the job that it is running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import structlog

from app.errors import Unavailable
from app.jobs import statements
from app.jobs.outcomes import LeaseLost
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database, Transaction

P = TypeVar("P", bound=msgspec.Struct)

RETRY_DELAY_S = 0.5

log = structlog.get_logger(__name__)


class Run:
    """One attempt at a job. The handler writes to Postgres only in the transactions opened here.

    It must not keep a transaction open while it waits for SMTP, S3 or anything else: Postgres ends
    idle transactions.
    """

    def __init__(self, database: Database, claimed: ClaimedJob) -> None:
        self._database = database
        self.claimed = claimed
        self.job_id = claimed.id
        self.attempt = claimed.attempt
        self.finished = False
        """Whether `completion` has committed."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction that commits only if this attempt still holds the job.

        If the worker is lost later, the next attempt repeats the effects committed here. Commit the
        last or only effect through `completion`.

        Raises:
            LeaseLost: this attempt has lost its job.
        """
        async with self._database.transaction() as tx:
            if not await statements.lock_job(tx, id=self.claimed.id, token=self.claimed.token):
                raise LeaseLost
            yield tx

    @asynccontextmanager
    async def completion(self, note: str | None = None) -> AsyncIterator[Transaction]:
        """Open the last transaction: its effects and the job's `done` commit together, if at all.

        Args:
            note: tells operators why the job had nothing to do.

        Raises:
            LeaseLost: this attempt has lost its job.
        """
        async with self._database.transaction() as tx:
            if not await statements.finish(
                tx, id=self.claimed.id, token=self.claimed.token, note=note
            ):
                raise LeaseLost
            yield tx
        self.finished = True

    async def complete(self, effects: Callable[[Transaction], Awaitable[object]]) -> None:
        """Commit effects and the job's `done` as `completion` does, once Postgres is available.

        Use it to record what cannot be undone, such as an email that has been sent: otherwise, the
        next attempt would send it again.

        Raises:
            LeaseLost: this attempt has lost its job, or the reply to a commit that succeeded was
                lost.
        """
        while not self.finished:
            try:
                async with self.completion() as tx:
                    await effects(tx)
            except Unavailable as error:
                log.warning("run.completion_failed", job=str(self.job_id), error=error.detail)
                await asyncio.sleep(RETRY_DELAY_S)

    async def finish_with_note(self, note: str) -> None:
        """Finish a job that had nothing to do, with a note that says why.

        Raises:
            LeaseLost: this attempt has lost its job.
        """
        async with self.completion(note):
            pass

    async def assert_lease(self) -> None:
        """Check, before an effect that cannot be undone, that this attempt still holds the job.

        Raises:
            LeaseLost: this attempt has lost its job.
        """
        if not await statements.lock_job(
            self._database, id=self.claimed.id, token=self.claimed.token
        ):
            raise LeaseLost

    def position(self, position_type: type[P]) -> P | None:
        """Return the position that an earlier attempt saved, or None if no position was saved."""
        saved = self.claimed.position
        return None if saved is None else msgspec.json.decode(saved, type=position_type)

    async def save_position(self, tx: Transaction, position: msgspec.Struct) -> None:
        """Save the position where the next attempt continues, as part of this transaction.

        The position is also shown as the job's progress.

        Raises:
            LeaseLost: this attempt has lost its job.
        """
        encoded = msgspec.json.encode(position).decode()
        if not await statements.save_position(
            tx, id=self.claimed.id, token=self.claimed.token, position=encoded, progress=encoded
        ):
            raise LeaseLost

    async def report_progress(self, done: int, total: int | None = None, **counts: Any) -> None:
        """Report progress to users and operators.

        Raises:
            LeaseLost: this attempt has lost its job.
        """
        report = msgspec.json.encode({"done": done, "total": total, **counts}).decode()
        if not await statements.report_progress(
            self._database, id=self.claimed.id, token=self.claimed.token, progress=report
        ):
            raise LeaseLost
