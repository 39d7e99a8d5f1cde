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


LONGEST_ERROR = 8192

Outcome = Literal["done", "retried", "snoozed", "dead", "cancelled"]
STATES = {"retried": "retrying", "snoozed": "snoozed", "dead": "dead", "cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an attempt. `failed` is whether it counts against the job's retries."""

    outcome: Outcome
    error: str = ""
    traceback: str | None = None
    failed: bool = False
    delay: timedelta = timedelta(0)
    blocked_on: str | None = None
    """What the job is snoozed for: a dependency that is away, a kind that is paused."""
    tried: bool = True
    """False: the handler was not called, and it counts as no attempt."""


DONE = Ending("done")


async def record(database: Database, worker_id: UUID, claimed: Claimed, ending: Ending) -> None:
    """Commit the end of an attempt that is not done, with the attempt itself.

    Raises:
        LeaseLost: the job is another worker's now; nothing is written.
    """
    async with database.transaction() as tx:
        if not await _leave_running(tx, claimed, ending):
            raise LeaseLost
        if not ending.tried:
            return
        await statements.insert_attempt(
            tx,
            job_id=claimed.id,
            attempt=claimed.attempt,
            worker_id=worker_id,
            started_at=claimed.started_at,
            outcome=ending.outcome,
            error=_text(ending.error),
            traceback=_text(ending.traceback),
        )


async def _leave_running(tx: Transaction, claimed: Claimed, ending: Ending) -> bool | None:
    state, error = STATES[ending.outcome], _text(ending.error) or ""
    if ending.outcome in {"dead", "cancelled"}:
        mark = fingerprint(claimed.kind, error) if ending.outcome == "dead" else None
        ours = await statements.fail_or_cancel(
            tx,
            id=claimed.id,
            token=claimed.token,
            state=state,
            failed=ending.failed,
            error=error,
            fingerprint=mark,
        )
        if ours:
            await follow_giving_up(tx, claimed.kind, claimed.payload)
        return ours
    left = await statements.reschedule(
        tx,
        id=claimed.id,
        token=claimed.token,
        state=state,
        delay=ending.delay,
        failed=ending.failed,
        untried=not ending.tried,
        blocked_on=ending.blocked_on,
        error=error,
    )
    if left == "cancelled":  # its end was asked for meanwhile
        await follow_giving_up(tx, claimed.kind, claimed.payload)
    return left is not None


def _text(text: str | None) -> str | None:
    """What Postgres can hold: no NUL, no half of a surrogate pair, and not without end."""
    if text is None:
        return None
    clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return clean if len(clean) <= LONGEST_ERROR else clean[:LONGEST_ERROR] + " …"
