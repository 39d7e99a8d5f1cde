"""Cancelling a job."""

from __future__ import annotations

import structlog

from app.errors import Conflict
from app.jobs.job import JobId
from app.jobs.operating import statements
from app.jobs.operating.inspection import find_row
from app.jobs.operating.records import State
from app.jobs.recovery import follow_giving_up
from app.transaction import Transaction

log = structlog.get_logger(__name__)

EXPLANATIONS = {
    "done": "it was done before the cancel came, and that stands",
    "dead": "it is dead already: it can be run again or discarded",
    "cancelled": "it is cancelled already",
}


async def cancel(tx: Transaction, job_id: JobId, *, by: str) -> State:
    """Cancel a waiting job at once, or have the worker of a running one end it within 2 s.

    Of a cancel and the commit of `done`, the one that comes first wins.

    Returns:
        `cancelled`, or `running` when its end was asked for.

    Raises:
        NotFound: there is no such job.
        Conflict: it is finished, and how.
    """
    cancelled = await statements.cancel(tx, job_id, "cancelled by an operator")
    if cancelled is None:
        row = await find_row(tx, job_id)
        why = EXPLANATIONS.get(row.state, f"it has just become {row.state}: try again")
        raise Conflict(f"The job cannot be cancelled: {why}.")
    if cancelled.state == "cancelled":
        await follow_giving_up(tx, cancelled.kind, cancelled.payload)
    log.info("operator.cancelled", job=str(job_id), state=cancelled.state, by=by)
    return cancelled.state


async def withdraw(tx: Transaction, job_id: JobId, why: str) -> None:
    """Cancel a job that nobody needs any more. One that is finished or unknown is left as it is."""
    await statements.cancel(tx, job_id, why)
