"""Signatures for the statements in `sql/queries/exports.sql`."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.activity_types import ActivityType
from app.exports.export import Export, ExportId, Filters, Format
from app.jobs import JobId
from app.postgres.statements import Query, Queryable, query, statement
from app.users.user import UserId


class OwnedExport(Struct, frozen=True):
    """An export and its owner, as the export's jobs read them."""

    id: ExportId
    user_id: UserId
    name: str
    email: str
    format: Format
    first: date | None
    last: date | None
    type: ActivityType | None
    row_count: int | None
    size_bytes: int | None
    expires_at: datetime | None

    @property
    def filters(self) -> Filters:
        return Filters(self.first, self.last, self.type)


class ExportObject(Struct, frozen=True):
    """The fields that make up the key of an export's object."""

    id: ExportId
    user_id: UserId
    format: Format


@statement("exports")
async def lock_exports(db: Queryable, *, user_id: UserId) -> None: ...


@statement("exports")
async def close_ended_exports(db: Queryable, *, user_id: UserId) -> None: ...


@statement("exports")
async def exports(
    db: Queryable,
    *,
    user_id: UserId,
    id: ExportId | None,
    before: ExportId | None,
    only_open: bool,
    limit: int,
) -> list[Export]: ...


@statement("exports")
async def insert_export(
    db: Queryable,
    *,
    user_id: UserId,
    format: Format,
    first: date | None,
    last: date | None,
    type: ActivityType | None,
) -> ExportId: ...


@statement("exports")
async def set_export_job(db: Queryable, *, id: ExportId, job_id: JobId) -> None: ...


@statement("exports")
async def job_of_export(db: Queryable, *, id: ExportId, user_id: UserId) -> JobId | None: ...


@statement("exports")
async def delete_export(db: Queryable, *, id: ExportId, user_id: UserId) -> Format | None: ...


@statement("exports")
async def export_etag(db: Queryable, *, id: ExportId, user_id: UserId) -> str | None: ...


@statement("exports")
async def clear_export_result(
    db: Queryable, *, id: ExportId, user_id: UserId, etag: str
) -> bool | None: ...


@statement("exports")
async def export_with_owner(db: Queryable, *, id: ExportId) -> OwnedExport | None: ...


@statement("exports")
async def complete_export(
    db: Queryable,
    *,
    id: ExportId,
    lifetime: timedelta,
    row_count: int,
    size_bytes: int,
    sha256: str,
    etag: str,
) -> bool | None: ...


@statement("exports")
async def set_export_error(db: Queryable, *, id: ExportId, error: str) -> None: ...


@statement("exports")
async def count_rows(
    db: Queryable,
    *,
    user_id: UserId,
    first: date | None,
    last: date | None,
    type: ActivityType | None,
) -> int: ...


@statement("exports")
async def backend_pid(db: Queryable) -> int: ...


@statement("exports")
async def rows_copied(db: Queryable, *, pid: int) -> int | None: ...


@statement("exports")
async def export_objects(db: Queryable, *, ids: list[UUID]) -> list[ExportObject]: ...


@statement("exports")
async def disable_sort(db: Queryable) -> None: ...


@query("exports")
def activities_csv(
    *, user_id: UserId, first: date | None, last: date | None, type: ActivityType | None
) -> Query: ...


@query("exports")
def activities_pdf(
    *, user_id: UserId, first: date | None, last: date | None, type: ActivityType | None
) -> Query: ...
