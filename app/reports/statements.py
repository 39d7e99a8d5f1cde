"""Signatures for the statements in `sql/queries/reports.sql`."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.activity_types import ActivityType
from app.jobs import Queue
from app.jobs.schedules.fan_out import DryRunCounts, FanOutBatch
from app.postgres.statements import Queryable, statement
from app.reports.report import Report, TypeTotals
from app.users.user import UserId


class ReportObject(Struct, frozen=True):
    """A report's object id and ETag. Both are None for reports from before migration 0012."""

    object_id: UUID | None
    etag: str | None


class OwnedReportObject(Struct, frozen=True):
    """The id of the object that contains a user's report for a month."""

    user_id: UUID
    month: date
    object_id: UUID | None


class ReportDryRunCounts(DryRunCounts, frozen=True):
    """The counts from a dry run, and how many reports would be created: one per active user."""

    would_create: int


class ReportRecipient(Struct, frozen=True):
    """The recipient of an email about a report."""

    id: UserId
    name: str
    email: str


class ListedActivity(Struct, frozen=True):
    """An activity in the table of a report."""

    started_at: datetime
    type: ActivityType
    duration_s: int
    distance_m: float | None
    calories: int | None
    notes: str | None


@statement("reports")
async def enqueue_reports(
    db: Queryable,
    *,
    kind: str,
    queue: Queue,
    expires_in: timedelta | None,
    month: date,
    after: UUID | None,
    limit: int,
) -> FanOutBatch: ...


@statement("reports", timeout=1800)
async def count_reports(
    db: Queryable, *, template: str, unique_key: str, month: date
) -> ReportDryRunCounts: ...


@statement("reports")
async def report_owner_name(db: Queryable, *, user_id: UserId) -> str | None: ...


@statement("reports")
async def totals_by_type(db: Queryable, *, user_id: UserId, month: date) -> list[TypeTotals]: ...


@statement("reports")
async def activities_in_month(
    db: Queryable, *, user_id: UserId, month: date, limit: int
) -> list[ListedActivity]: ...


@statement("reports")
async def record_report(
    db: Queryable,
    *,
    user_id: UserId,
    month: date,
    created_at: datetime,
    size_bytes: int,
    sha256: str,
    object_id: UUID,
    etag: str,
) -> bool | None: ...


@statement("reports")
async def delete_report(db: Queryable, *, user_id: UserId, month: date) -> ReportObject | None: ...


@statement("reports")
async def reports(
    db: Queryable, *, user_id: UserId, before: date | None, limit: int
) -> list[Report]: ...


@statement("reports")
async def report_object(db: Queryable, *, user_id: UserId, month: date) -> ReportObject | None: ...


@statement("reports")
async def report_objects(
    db: Queryable, *, user_ids: list[UUID], months: list[date]
) -> list[OwnedReportObject]: ...


@statement("reports")
async def report_recipient(
    db: Queryable, *, user_id: UserId, month: date
) -> ReportRecipient | None: ...
