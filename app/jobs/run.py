"""A running job, as its handler sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from app.jobs import statements
from app.jobs.outcomes import LeaseLost
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database, Transaction

P = TypeVar("P", bound=msgspec.Struct)


class Run:
    """One attempt at a job. Whatever it writes to Postgres, it writes in these transactions.

    None of them may stay open across SMTP, S3 or any other wait: Postgres ends one that idles.
    """

    def __init__(self, database: Database, claimed: ClaimedJob) -> None:
        self._database = database
        self.claimed = claimed
        self.job_id = claimed.id
        self.attempt = claimed.attempt
        self.finished = False
        """The job's end was committed together with its last effect."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction that commits only while this attempt holds the job.

        An effect committed here happens again when the attempt dies before its end: let the last
        effect, or the only one, go through `completion`.

        Raises:
            LeaseLost: the job is another worker's now, or its end was asked for.
        """
        async with self._database.transaction() as tx:
            if not await statements.lock_job(tx, id=self.claimed.id, token=self.claimed.token):
                raise LeaseLost
            yield tx

    @asynccontextmanager
    async def completion(self, note: str | None = None) -> AsyncIterator[Transaction]:
        """The last transaction: its effects and the job's `done` commit together, or not at all.

        Args:
            note: why the job had nothing to do, for operators.

        Raises:
            LeaseLost: the job is another worker's now.
        """
        async with self._database.transaction() as tx:
            if not await statements.finish(
                tx, id=self.claimed.id, token=self.claimed.token, note=note
            ):
                raise LeaseLost
            yield tx
        self.finished = True

    async def finish_with_note(self, why: str) -> None:
        """End the job without an effect, and keep the reason with it.

        Raises:
            LeaseLost: the job is another worker's now.
        """
        async with self.completion(why):
            pass

    async def assert_lease(self) -> None:
        """Make sure, just before an effect that cannot be undone, that the job is still ours.

        Raises:
            LeaseLost: it is another worker's now.
        """
        if not await statements.lock_job(
            self._database, id=self.claimed.id, token=self.claimed.token
        ):
            raise LeaseLost

    async def mark_running_alone(self) -> None:
        """Put on record that no other job runs in this worker: if it is lost now, this one did it.

        Raises:
            LeaseLost: the job is another worker's now.
        """
        if not await statements.mark_running_alone(
            self._database, id=self.claimed.id, token=self.claimed.token
        ):
            raise LeaseLost

    def position(self, kind: type[P]) -> P | None:
        """Where an earlier attempt left off, or None at the beginning."""
        kept = self.claimed.position
        return None if kept is None else msgspec.json.decode(kept, type=kind)

    async def save_position(self, tx: Transaction, position: msgspec.Struct) -> None:
        """Commit, with what this transaction did, where the next attempt goes on.

        Those who watch see it as progress.

        Raises:
            LeaseLost: the job is another worker's now.
        """
        kept = msgspec.json.encode(position).decode()
        if not await statements.save_position(
            tx, id=self.claimed.id, token=self.claimed.token, position=kept, progress=kept
        ):
            raise LeaseLost

    async def progress(self, done: int, total: int | None = None, **figures: Any) -> None:
        """Tell those who watch how far it is.

        Raises:
            LeaseLost: the job is another worker's now.
        """
        report = msgspec.json.encode({"done": done, "total": total, **figures}).decode()
        if not await statements.report_progress(
            self._database, id=self.claimed.id, token=self.claimed.token, progress=report
        ):
            raise LeaseLost
