"""Breakers: while a dependency is unavailable, the jobs that need it are parked.

A breaker is a row in Postgres, so all workers share it. The kinds that need a dependency are learnt
from the jobs that run into its outage. Once a breaker is open, the leader of the relay parks the
jobs of these kinds (worker/parking.py), and lets one through at a time as a probe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

import structlog

from app.jobs import statements
from app.jobs.job import JobId
from app.jobs.pauses import Pauses
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database

log = structlog.get_logger()

REPORT_INTERVAL_S = 10.0
"""The least time between two reports by a worker that a dependency has answered."""


class Breakers:
    """What one worker reports about the dependencies."""

    def __init__(
        self, database: Database, worker_id: UUID, pauses: Pauses, clock: Callable[[], float]
    ) -> None:
        """
        Args:
            clock: a monotonic clock, in seconds.
        """
        self._database = database
        self._worker_id = worker_id
        self._pauses = pauses
        self._clock = clock
        self._answered: set[str] = set()
        self._reported_at: dict[str, float] = {}

    async def blocking(self, kind: str, job_id: JobId) -> str | None:
        """Return what a job is blocked on, or None if it may start, perhaps as a probe.

        Raises:
            Unavailable: Postgres is unavailable.
        """
        if kind not in self._pauses.blocked_kinds:
            return None
        return await statements.blocking(self._database, kind=kind, job_id=job_id)

    async def record_outage(self, kind: str, job_id: JobId, dependency: str) -> bool:
        """Report an outage that a job ran into, and return whether the breaker is open.

        Raises:
            Unavailable: Postgres is unavailable.
        """
        is_open = await statements.report_outage(
            self._database,
            dependency=dependency,
            worker_id=self._worker_id,
            kind=kind,
            job_id=job_id,
        )
        if is_open and dependency not in self._pauses.dependencies:
            log.warning("breaker.opened", dependency=dependency)
        return bool(is_open)

    async def record_end(self, claimed: ClaimedJob, answers: Mapping[str, float]) -> None:
        """Close the open breakers of the dependencies that answered during an attempt.

        If the attempt was a probe that has called no such dependency, the next probe may start.

        Args:
            answers: the seconds from the handler's start to each dependency's last answer.

        Raises:
            Unavailable: Postgres is unavailable. A probe ends by itself after 30 seconds.
        """
        self._answered |= answers.keys()
        for dependency in answers.keys() & self._pauses.dependencies:
            # The handler started after the claim, so the answer came no earlier than this. Outages
            # reported since then are also timed by Postgres's clock.
            answered_at = claimed.started_at + timedelta(seconds=answers[dependency])
            if await statements.close_breaker(
                self._database, dependency=dependency, answered_at=answered_at
            ):
                log.info("breaker.closed", dependency=dependency)
        if claimed.kind in self._pauses.blocked_kinds:
            await statements.end_probe(self._database, job_id=claimed.id)

    async def report_answers(self) -> None:
        """Tell the other workers which dependencies have answered, at most every ten seconds.

        Raises:
            Unavailable: Postgres is unavailable.
        """
        now = self._clock()
        due = [
            dependency
            for dependency in self._answered
            if now - self._reported_at.get(dependency, float("-inf")) >= REPORT_INTERVAL_S
        ]
        if due:
            await statements.report_answers(
                self._database, worker_id=self._worker_id, dependencies=due
            )
            self._reported_at |= dict.fromkeys(due, now)
            self._answered.difference_update(due)
