"""The job executor, which calls a claimed job's handler and turns its errors into outcomes.

It writes nothing about the job to Postgres: `worker/outcome.py` does that.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import msgspec
import structlog

from app import dependency_health
from app.errors import Failure, StatementCancelled, TooMany, Unavailable, without_values
from app.jobs import Job, Run
from app.jobs.handlers import Handler, Handlers, resource_arguments
from app.jobs.job import KINDS
from app.jobs.outcomes import Dead, LeaseLost, Retry, Snooze
from app.jobs.rows import ClaimedJob
from app.redis import OUTAGES as REDIS_OUTAGES
from app.resources import Resources
from worker.breakers import Breakers
from worker.outcome import DONE, Outcome

log = structlog.get_logger()

SUSPECT_AFTER_CRASHES = 2
"""After this many crashes in a row, a job is a suspect and runs in a process of its own."""
MAX_BACKOFF = timedelta(hours=1)
LOST_CONNECTION_DELAY = timedelta(seconds=1)
OUTAGE_DELAY = timedelta(seconds=5)
"""The least time that a job waits after an outage that the other workers do not see."""
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
    random: Callable[[], float]
    """A source of random numbers in [0, 1)."""
    handlers: Handlers
    run_apart: Callable[[type[Job], Handler, Run], Awaitable[Outcome]] | None = None
    """Makes an attempt at a suspect in a process of its own. None in that process."""

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
        try:
            if blocked_on := await self.breakers.blocking(run.claimed.kind, run.job_id):
                reason = f"blocked on {blocked_on}"
                return Outcome("snoozed", reason, blocked_on=blocked_on, started=False)
        except (Unavailable, StatementCancelled) as error:
            return Outcome("snoozed", error.detail, delay=LOST_CONNECTION_DELAY, started=False)
        if self.run_apart and run.claimed.crashes >= SUSPECT_AFTER_CRASHES:
            return await self.run_apart(job_type, self.handlers[job_type], run)
        return await self._call_handler(job_type, run)

    async def _call_handler(self, job_type: type[Job], run: Run) -> Outcome:
        outcome, answers = DONE, dependency_health.track()
        limit = asyncio.timeout(job_type.timeout.total_seconds())
        try:
            job = msgspec.json.decode(run.claimed.payload, type=job_type)
            async with limit:
                handler = self.handlers[job_type]
                await handler(job, run, *resource_arguments(handler, self.resources))
        except (LeaseLost, asyncio.CancelledError):
            raise  # if the job was a probe, the next one is let through after 30 seconds
        except Exception as error:  # noqa: BLE001 # every failure of a handler is an outcome
            outcome = self._outcome_of(error, job_type, run.claimed, timed_out=limit.expired())
        return await self._report(outcome, run.claimed, answers)

    async def _report(
        self, outcome: Outcome, claimed: ClaimedJob, answers: Mapping[str, float]
    ) -> Outcome:
        """Report how the dependencies responded. If a breaker is open, the job is blocked on it."""
        try:
            if outcome.blocked_on is None:
                await self.breakers.record_end(claimed, answers)
            elif not await self.breakers.record_outage(
                claimed.kind, claimed.id, outcome.blocked_on
            ):
                return replace(outcome, blocked_on=None)
        except (Unavailable, StatementCancelled) as error:
            log.warning("breaker.report_failed", error=error.detail)
            return replace(outcome, blocked_on=None)
        return outcome

    def _outcome_of(
        self, error: Exception, job_type: type[Job], claimed: ClaimedJob, *, timed_out: bool
    ) -> Outcome:
        """Turn a handler's exception into an outcome. Nothing else does this."""
        text = f"{type(error).__name__}: {without_values(error)}"
        match error:
            case Unavailable(dependency="postgres"):
                # No breaker: without Postgres nothing is claimed, and one lost connection is not
                # an outage.
                return Outcome("snoozed", text, delay=LOST_CONNECTION_DELAY)
            case Unavailable():
                delay = OUTAGE_DELAY * (1 + self.random())
                return Outcome("snoozed", text, delay=delay, blocked_on=error.dependency)
            case _ if isinstance(error, REDIS_OUTAGES):
                return Outcome("snoozed", text, delay=LOST_CONNECTION_DELAY)  # as with Postgres
        match error:
            case Snooze():
                return Outcome("snoozed", error.reason, delay=error.delay)
            case TooMany():
                return Outcome("snoozed", text, delay=timedelta(seconds=error.retry_after))
            case StatementCancelled():
                pass  # retried, as other errors are
            case Dead() | Failure() | msgspec.ValidationError() | msgspec.DecodeError():
                return Outcome("dead", text, _trace(error), failed=True)
            case TimeoutError() if timed_out:
                text = f"timed out after {job_type.timeout.total_seconds():.0f} s"
        if claimed.failures >= job_type.retries:
            return Outcome("dead", text, _trace(error), failed=True)
        delay = equal_jitter(job_type.backoff, claimed.failures + 1, self.random())
        if isinstance(error, Retry) and error.delay is not None:
            delay = error.delay
        return Outcome("retried", text, _trace(error), failed=True, delay=delay)


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
