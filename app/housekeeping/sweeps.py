"""What is kept for how long, and the statement that removes what is older."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from app.housekeeping import statements
from app.postgres.query import Queryable

DAY = timedelta(days=1)
BATCH = 1000

Remove = Callable[[Queryable, datetime, int | None, bool], Awaitable[int]]


class Sweep(NamedTuple):
    """Rows of one kind. A batch is removed in a transaction of its own."""

    what: str
    remove: Remove
    keep: timedelta = timedelta(0)
    """How long after they were deleted, ended or expired."""
    batch: int = BATCH


SWEEPS = (
    Sweep("users", statements.remove_users, 30 * DAY, batch=50),  # each with all that is theirs
    Sweep("activities", statements.remove_activities, 30 * DAY),
    Sweep("sessions", statements.remove_sessions),
    Sweep("account_tokens", statements.remove_account_tokens, DAY),
    Sweep("idempotency_keys", statements.remove_idempotency_keys, DAY),
    Sweep("jobs", statements.remove_jobs, 7 * DAY),
    Sweep("dead_letters", statements.remove_dead_letters, 90 * DAY),
    Sweep("runs", statements.remove_runs, 400 * DAY),
    Sweep("emails", statements.remove_emails, 400 * DAY),
    Sweep("workers", statements.remove_workers, DAY),
)
