"""Signatures for the statements in `sql/queries/stats.sql`."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from msgspec import Struct

from app.jobs import Queue
from app.jobs.schedules.fan_out import DryRunCounts, FanOutBatch
from app.postgres.statements import Queryable, statement
from app.stats.totals import DayTotals
from app.users.user import UserId


class DayCounts(Struct, frozen=True):
    """How many users were active on a day, and how many activities they recorded."""

    users: int
    activities: int


class SummaryRecipient(Struct, frozen=True):
    """The recipient of a weekly summary."""

    id: UserId
    name: str
    email: str


@statement("stats")
async def lock_day_counts(db: Queryable) -> None: ...


@statement("stats", timeout=1800)
async def count_day(db: Queryable, *, day: date) -> DayCounts: ...


@statement("stats")
async def recount_stale(db: Queryable, *, limit: int) -> int: ...


@statement("stats")
async def daily_totals(
    db: Queryable, *, user_id: UserId, first_day: date, last_day: date
) -> list[DayTotals]: ...


@statement("stats")
async def enqueue_weekly_emails(
    db: Queryable,
    *,
    kind: str,
    queue: Queue,
    expires_in: timedelta | None,
    saturday: date,
    after: UUID | None,
    limit: int,
) -> FanOutBatch: ...


@statement("stats", timeout=1800)
async def count_weekly_emails(
    db: Queryable, *, template: str, unique_key: str, saturday: date
) -> DryRunCounts: ...


@statement("stats")
async def summary_recipient(
    db: Queryable, *, user_id: UserId, saturday: date
) -> SummaryRecipient | None: ...
