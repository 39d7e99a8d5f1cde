"""The job executor, which calls a claimed job's handler and turns its errors into outcomes.

It writes nothing about the job to Postgres: `worker/outcome.py` does that.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import structlog

from app import dependency_health
from app.errors import Failure, TooMany, Unavailable, without_values
from app.jobs import Job, Run, statements
from app.jobs.handlers import Handlers, resource_arguments
from app.jobs.job import KINDS
from app.jobs.outcomes import Dead, LeaseLost, Retry, Snooze
from app.jobs.pauses import PAUSED_KIND_DELAY, Pauses, blocked_on_kind
from app.jobs.rows import ClaimedJob
from app.redis import OUTAGES as REDIS_OUTAGES
from app.resources import Resources
from worker.breakers import Breakers
from worker.outcome import DONE, Outcome

log = structlog.get_logger()

MAX_BACKOFF = timedelta(hours=1)
LOST_CONNECTION_DELAY = timedelta(seconds=1)
UNKNOWN_KIND_DELAY = timedelta(minutes=1)
"""How long a job waits for a newer worker if this one does not know its kind."""


def equal_jitter(base: timedelta, failures: int, random: float) -> timedelta:
    """Return an exponential backoff, half of it fixed and half of it random.

    Jobs that failed together are spread out, and none is retried immediately ("Exponential Backoff
    and Jitter", AWS Architecture Blog, 2015).

    Args:
        failures: failed attempts so far, at least 1.
        random: a random number in [0, 1).
    """
    ceiling = min(base * float(2 ** min(failures - 1, 30)), MAX_BACKOFF)
    return ceiling / 2 + ceiling / 2 * random


@dataclass(frozen=True, slots=True)
class JobExecutor:
    """The job executor. Calling it makes one attempt at a claimed job."""

    resources: Resources
    breakers: Breakers
    pauses: Pauses
    random: Callable[[], float]
    """A source of random numbers in [0, 1)."""
    handlers: Handlers

    async def __call__(self, run: Run) -> Outcome:
        """Call the handler within its time limit, and return the outcome.

        Raises:
            LeaseLost: this attempt has lost its job.
            CancelledError: the job was cancelled or lost, or the worker is stopping.
        """
        if run.claimed.expired:
            return Outcome("cancelled", "expired before it could start")
        job_type = KINDS.get(run.claimed.kind)
        if job_type is None or job_type not in self.handlers:
            reason = f"this worker has no handler for {run.claimed.kind}"
            return Outcome("snoozed", reason, delay=UNKNOWN_KIND_DELAY, started=False)
        return self._postpone(run.claimed) or await self._call_handler(job_type, run)

    def _postpone(self, claimed: ClaimedJob) -> Outcome | None:
        """Return a snooze if the job must not start now, otherwise None."""
        if claimed.kind in self.pauses.kinds:
            blocked_on = blocked_on_kind(claimed.kind)
            reason = f"{claimed.kind} is paused"
            return Outcome(
                "snoozed", reason, delay=PAUSED_KIND_DELAY, blocked_on=blocked_on, started=False
            )
        if blocked := self.breakers.check(claimed.kind):
            dependency, delay = blocked
            reason = f"{dependency} is unavailable"
            return Outcome("snoozed", reason, delay=delay, blocked_on=dependency, started=False)
        return None

    async def _call_handler(self, job_type: type[Job], run: Run) -> Outcome:
        outcome, answers = DONE, dependency_health.track()
        try:
            job = msgspec.json.decode(run.claimed.payload, type=job_type)
            async with asyncio.timeout(job_type.timeout.total_seconds()):
                handler = self.handlers[job_type]
                await handler(job, run, *resource_arguments(handler, self.resources))
        except (LeaseLost, asyncio.CancelledError):
            self.breakers.record_end(job_type.kind, {})
            raise
        except Exception as error:  # noqa: BLE001 # every failure of a handler is an outcome
            outcome = self._outcome_of(error, job_type, run.claimed)
        for dependency in self.breakers.record_end(job_type.kind, answers):
            await self._unblock(dependency)
        return outcome

    def _outcome_of(self, error: Exception, job_type: type[Job], claimed: ClaimedJob) -> Outcome:
        """Turn a handler's exception into an outcome. Nothing else does this."""
        text = f"{type(error).__name__}: {without_values(error)}"
        match error:
            case Unavailable(dependency="postgres"):
                # No breaker: without Postgres nothing is claimed, and one lost connection is not
                # an outage.
                return Outcome("snoozed", text, delay=LOST_CONNECTION_DELAY)
            case Unavailable():
                return self._outage_outcome(text, job_type, error.dependency)
            case _ if isinstance(error, REDIS_OUTAGES):
                return Outcome("snoozed", text, delay=LOST_CONNECTION_DELAY)  # as with Postgres
        match error:
            case Snooze():
                return Outcome("snoozed", error.reason, delay=error.delay)
            case TooMany():
                return Outcome("snoozed", text, delay=timedelta(seconds=error.retry_after))
            case Dead() | Failure() | msgspec.ValidationError() | msgspec.DecodeError():
                return Outcome("dead", text, _trace(error), failed=True)
            case TimeoutError():
                text = f"timed out after {job_type.timeout.total_seconds():.0f} s"
        if claimed.failures >= job_type.retries:
            return Outcome("dead", text, _trace(error), failed=True)
        delay = equal_jitter(job_type.backoff, claimed.failures + 1, self.random())
        if isinstance(error, Retry) and error.delay is not None:
            delay = error.delay
        return Outcome("retried", text, _trace(error), failed=True, delay=delay)

    def _outage_outcome(self, text: str, job_type: type[Job], dependency: str) -> Outcome:
        delay = self.breakers.record_outage(job_type.kind, dependency)
        return Outcome("snoozed", text, delay=delay, blocked_on=dependency)

    async def _unblock(self, dependency: str) -> None:
        """Let the jobs that are blocked on a dependency become due.

        If Postgres does not answer, they become due when their delays end, within about five
        minutes.
        """
        log.info("breaker.closed", dependency=dependency)
        try:
            await statements.wake_blocked(self.resources.engine_database, blocked_on=dependency)
        except Unavailable as error:
            log.warning("breaker.unblock_failed", dependency=dependency, error=error.detail)


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
