"""How an attempt ended, and writing that to Postgres with what follows from it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from app.jobs import statements
from app.jobs.outcomes import LeaseLost
from app.jobs.reclaim import follow_giving_up
from app.jobs.rows import Claimed
from app.postgres.database import Database, Transaction

_IDS_AND_NUMBERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{16,}\b|\d+",
    re.IGNORECASE,
)


def fingerprint(kind: str, error: str) -> str:
    """16 hexadecimal digits for a kind, its exception and its message without ids and numbers."""
    text = f"{kind}: {_IDS_AND_NUMBERS.sub('#', error)}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


MAX_ERROR_CHARACTERS = 8192

OutcomeName = Literal["done", "retried", "snoozed", "dead", "cancelled"]
STATES = {"retried": "retrying", "snoozed": "snoozed", "dead": "dead", "cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an attempt. `failed` is whether it counts against the job's retries."""

    name: OutcomeName
    error: str = ""
    traceback: str | None = None
    failed: bool = False
    delay: timedelta = timedelta(0)
    blocked_on: str | None = None
    """What the job is snoozed for: a dependency that is away, a kind that is paused."""
    started: bool = True
    """False: the handler was not called, and it counts as no attempt."""


DONE = Outcome("done")


async def record(database: Database, worker_id: UUID, claimed: Claimed, outcome: Outcome) -> None:
    """Commit the end of an attempt that is not done, with the attempt itself.

    Raises:
        LeaseLost: the job is another worker's now; nothing is written.
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


async def _write_end(tx: Transaction, claimed: Claimed, outcome: Outcome) -> bool | None:
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
            await follow_giving_up(tx, claimed.kind, claimed.payload)
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
    if state_now == "cancelled":  # its end was asked for meanwhile
        await follow_giving_up(tx, claimed.kind, claimed.payload)
    return state_now is not None


def _storable(text: str | None) -> str | None:
    """What Postgres can hold: no NUL, no half of a surrogate pair, and not without end."""
    if text is None:
        return None
    clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return clean if len(clean) <= MAX_ERROR_CHARACTERS else clean[:MAX_ERROR_CHARACTERS] + " …"
