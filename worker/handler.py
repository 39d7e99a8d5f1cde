"""From a claimed row to a handler, and from what the handler raised to how the attempt ended."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from app.errors import Failure, TooMany, Unavailable
from app.jobs import Job, Run
from app.jobs.backoff import equal_jitter
from app.jobs.endings import DONE, Ending
from app.jobs.job import KINDS
from app.jobs.outcomes import Dead, LeaseLost, Retry, Snooze
from app.jobs.record import Claimed
from app.redis import OUTAGES
from app.resources import Resources

J = TypeVar("J", bound=Job)
Handler = Callable[[J, Run, Resources], Awaitable[None]]

HANDLERS: dict[type[Job], Handler[Any]] = {}

UNKNOWN_KIND = timedelta(minutes=1)
"""How long a kind that this worker does not know waits for a newer worker."""
OUTAGE = timedelta(seconds=5)


def handles(job_type: type[J]) -> Callable[[Handler[J]], Handler[J]]:
    """Register the one handler of a job type."""

    def register(handler: Handler[J]) -> Handler[J]:
        if job_type in HANDLERS:
            raise TypeError(f"{job_type.__name__} has two handlers")
        HANDLERS[job_type] = handler
        return handler

    return register


@dataclass(frozen=True, slots=True)
class Attempt:
    """Runs one claimed job to its end."""

    resources: Resources
    draw: Callable[[], float]
    """Gives a random number from [0, 1)."""

    async def __call__(self, run: Run) -> Ending:
        """Call the handler within its time, and say how it ended.

        Raises:
            LeaseLost: the job became another worker's.
            CancelledError: the worker is ending, or the job was cancelled.
        """
        claimed = run.claimed
        job_type = KINDS.get(claimed.kind)
        if job_type is None or job_type not in HANDLERS:
            return Ending("snoozed", f"no handler of {claimed.kind} here", delay=UNKNOWN_KIND)
        if claimed.outdated:
            return Ending("cancelled", "it was no longer useful when its turn came")
        try:
            job = msgspec.json.decode(claimed.payload, type=job_type)
            async with asyncio.timeout(job_type.timeout.total_seconds()):
                await HANDLERS[job_type](job, run, self.resources)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 # every failure of a handler is an ending
            return self._ending(error, job_type, claimed)
        return DONE

    def _ending(self, error: Exception, job_type: type[Job], claimed: Claimed) -> Ending:
        """The one table from kinds of failure to endings."""
        text = f"{type(error).__name__}: {error}"
        match error:
            case Snooze():
                return Ending("snoozed", error.reason, delay=error.delay)
            case TooMany():
                return Ending("snoozed", text, delay=timedelta(seconds=error.retry_after))
            case Unavailable():
                delay = timedelta(seconds=error.retry_after)
                return Ending("snoozed", text, delay=delay, waits_for=error.dependency)
            case _ if isinstance(error, OUTAGES):
                return Ending("snoozed", text, delay=OUTAGE, waits_for="redis")
            case Dead() | Failure() | msgspec.ValidationError() | msgspec.DecodeError():
                return Ending("dead", text, traceback=_trace(error), failed=True)
            case TimeoutError():
                text = f"it took longer than {job_type.timeout.total_seconds():.0f} s"
        if claimed.failures >= job_type.retries:
            return Ending("dead", text, traceback=_trace(error), failed=True)
        delay = equal_jitter(job_type.backoff, claimed.failures + 1, self.draw())
        if isinstance(error, Retry) and error.after is not None:
            delay = error.after
        return Ending("retried", text, traceback=_trace(error), failed=True, delay=delay)


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
