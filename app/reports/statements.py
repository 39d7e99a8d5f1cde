"""Signatures of `sql/queries/reports.sql`."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.activity_types import ActivityType
from app.jobs import Queue
from app.jobs.schedules.fan_out import DryRunCounts, FanOutBatch
from app.postgres.statements import Queryable, statement
from app.reports.report import Report, TypeFigures
from app.users.user import UserId


class ReportObject(Struct, frozen=True):
    """Which object a report names, and what the bucket said of it; None before migration 0012."""

    object_id: UUID | None
    etag: str | None


class NamedObject(Struct, frozen=True):
    """The object that the report of a person's month names."""

    user_id: UUID
    month: date
    object_id: UUID | None


class WouldReport(DryRunCounts, frozen=True):
    """The same of reports: only those who are inactive get none."""

    would_report: int


class ReportReader(Struct, frozen=True):
    """Who is to have an email about a report."""

    id: UserId
    name: str
    email: str


class PrintedActivity(Struct, frozen=True):
    """An activity as a report lists it."""

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
    most: int,
) -> FanOutBatch: ...


@statement("reports", timeout=1800)
async def count_reports(
    db: Queryable, *, template: str, unique_key: str, month: date
) -> WouldReport: ...


@statement("reports")
async def report_owner(db: Queryable, *, user_id: UserId) -> str | None: ...


@statement("reports")
async def types_of_month(db: Queryable, *, user_id: UserId, month: date) -> list[TypeFigures]: ...


@statement("reports")
async def activities_of_month(
    db: Queryable, *, user_id: UserId, month: date, most: int
) -> list[PrintedActivity]: ...


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
async def forget_report(db: Queryable, *, user_id: UserId, month: date) -> ReportObject | None: ...


@statement("reports")
async def reports(
    db: Queryable, *, user_id: UserId, before: date | None, limit: int
) -> list[Report]: ...


@statement("reports")
async def report_object(db: Queryable, *, user_id: UserId, month: date) -> ReportObject | None: ...


@statement("reports")
async def named_objects(
    db: Queryable, *, user_ids: list[UUID], months: list[date]
) -> list[NamedObject]: ...


@statement("reports")
async def report_reader(db: Queryable, *, user_id: UserId, month: date) -> ReportReader | None: ...
