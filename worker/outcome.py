"""Attempts' outcomes, and how they are recorded, together with any `on_failure` jobs."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from app.jobs import statements
from app.jobs.outcomes import LeaseLost
from app.jobs.reclaim import enqueue_on_failure
from app.jobs.rows import ClaimedJob
from app.postgres.database import Database, Transaction

MAX_ERROR_CHARACTERS = 8192
"""Errors and tracebacks are cut off after this many characters."""

_IDS_AND_NUMBERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{16,}\b|\d+",
    re.IGNORECASE,
)


def fingerprint(kind: str, error: str) -> str:
    """Hash a kind and an error, without ids and numbers, into 16 hexadecimal digits."""
    text = f"{kind}: {_IDS_AND_NUMBERS.sub('#', error)}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


OutcomeName = Literal["done", "retried", "snoozed", "dead", "cancelled"]
STATES = {"retried": "retrying", "snoozed": "snoozed", "dead": "dead", "cancelled": "cancelled"}
"""The state to record for each outcome but `done`. If a cancellation has been requested,
`cancelled` is recorded instead of `retrying` or `snoozed`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    name: OutcomeName
    error: str = ""
    traceback: str | None = None
    failed: bool = False
    """Whether the attempt counts against the job's retries."""
    delay: timedelta = timedelta(0)
    blocked_on: str | None = None
    """The unavailable dependency or the paused kind that the snoozed job waits for."""
    started: bool = True
    """False if the handler was not called; the attempt is then not counted."""


DONE = Outcome("done")


async def record(
    database: Database, worker_id: UUID, claimed: ClaimedJob, outcome: Outcome
) -> None:
    """Commit an outcome other than `done`, and a row for the attempt if it started.

    Raises:
        LeaseLost: this attempt has lost its job; nothing is written.
    """
    async with database.transaction() as tx:
        if not await _write_end(tx, claimed, outcome):
            raise LeaseLost
        if not outcome.started:
            return
        await statements.insert_attempt(
            tx,
            job_id=claimed.id,
            attempt=claimed.attempt,
            worker_id=worker_id,
            started_at=claimed.started_at,
            outcome=outcome.name,
            error=_storable(outcome.error),
            traceback=_storable(outcome.traceback),
        )


async def _write_end(tx: Transaction, claimed: ClaimedJob, outcome: Outcome) -> bool | None:
    """Write the job's new state. Return true if this attempt still held the job."""
    state, error = STATES[outcome.name], _storable(outcome.error) or ""
    if outcome.name in {"dead", "cancelled"}:
        digest = fingerprint(claimed.kind, error) if outcome.name == "dead" else None
        owned = await statements.fail_or_cancel(
            tx,
            id=claimed.id,
            token=claimed.token,
            state=state,
            failed=outcome.failed,
            error=error,
            fingerprint=digest,
        )
        if owned:
            await enqueue_on_failure(tx, claimed.kind, claimed.payload)
        return owned
    state_now = await statements.reschedule(
        tx,
        id=claimed.id,
        token=claimed.token,
        state=state,
        delay=outcome.delay,
        failed=outcome.failed,
        untried=not outcome.started,
        blocked_on=outcome.blocked_on,
        error=error,
    )
    if state_now == "cancelled":  # the cancellation was requested during the attempt
        await enqueue_on_failure(tx, claimed.kind, claimed.payload)
    return state_now is not None


def _storable(text: str | None) -> str | None:
    """Make text storable: replace NULs and lone surrogates, and limit the length."""
    if text is None:
        return None
    clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return clean if len(clean) <= MAX_ERROR_CHARACTERS else clean[:MAX_ERROR_CHARACTERS] + " …"
