"""What is kept for how long, and the statement that removes what is older."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from app.housekeeping import statements
from app.postgres.query import Queryable
from app.settings import Retention
from app.users.jobs import EraseUser

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BATCH = 1000

Remove = Callable[[Queryable, datetime, int | None, bool], Awaitable[int]]


class Sweep(NamedTuple):
    """Rows of one kind. A batch is dealt with in a transaction of its own."""

    what: str
    remove: Remove
    keep: timedelta = timedelta(0)
    """How long after they were deleted, ended or expired."""


async def _erase(db: Queryable, before: datetime, most: int | None, dry_run: bool) -> int:
    """Have accounts erased whose own erasure died: a row that is removed here would leave objects
    in the bucket that nobody knows of."""
    kind, queue = EraseUser.kind, EraseUser.queue
    return await statements.enqueue_erasures(db, kind, queue, before, most, dry_run)


def sweeps(keep: Retention) -> Sequence[Sweep]:
    """All of them, in their order. What has no setting is useless by a rule of its own."""
    return (
        Sweep("erasures", _erase, keep.deleted),
        Sweep("activities", statements.remove_activities, keep.deleted),
        Sweep("sessions", statements.remove_sessions),
        Sweep("account_tokens", statements.remove_account_tokens, DAY),
        Sweep("reset_requests", statements.remove_reset_requests, 2 * HOUR),
        Sweep("idempotency_keys", statements.remove_idempotency_keys, DAY),
        Sweep("news", statements.remove_news, DAY),
        Sweep("exports", statements.remove_exports),
        Sweep("jobs", statements.remove_jobs, keep.jobs),
        Sweep("dead_letters", statements.remove_dead_letters, keep.dead_letters),
        Sweep("runs", statements.remove_runs, keep.runs),
        Sweep("emails", statements.remove_emails, keep.emails),
        Sweep("workers", statements.remove_workers, DAY),
    )
