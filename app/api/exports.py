"""The routes under `/export`."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, cast
from uuid import UUID

from litestar import Request, Response, Router, delete, get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency, Provide
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, QueryParameter
from litestar.response import Redirect
from msgspec import Struct

from app.activity_types import ActivityType
from app.api.idempotency import IdempotentCreation
from app.api.paging import (
    ACTIVITY_TYPE,
    DEFAULT_LIMIT,
    FIRST_DAY,
    LAST_DAY,
    Cursor,
    Limit,
    Page,
    page_of,
)
from app.api.streaming import StreamedDownload
from app.exports import requests
from app.exports.csv import Downloads
from app.exports.export import Export, ExportId, Filters, Format, Status
from app.exports.formats import FORMATS
from app.jobs import JobId
from app.postgres.database import Database, Transaction
from app.postgres.snapshot import Snapshots
from app.s3 import Bucket
from app.users.user import Me
from app.web.cursors import decode_cursor

NEW_EXPORT = Example(
    value={"format": "csv", "from": "2026-01-01", "to": "2026-12-31", "type": "run"}
)
FROM_AND_TO = {"first": "from", "last": "to"}


class NewExport(Struct, frozen=True, forbid_unknown_fields=True, rename=FROM_AND_TO):
    """A request for an export. Both days are in UTC and included. Each filter is optional."""

    format: Format
    first: date | None = None
    last: date | None = None
    type: ActivityType | None = None


class ExportProgressResponse(Struct, frozen=True):
    """Progress in rows."""

    done: int
    total: int | None


class ExportResponse(Struct, frozen=True, rename=FROM_AND_TO):
    """An export. Its download URL requires the owner's token and redirects to the file."""

    id: ExportId
    job_id: JobId
    format: Format
    first: date | None
    last: date | None
    type: ActivityType | None
    status: Status
    progress: ExportProgressResponse | None
    row_count: int | None
    size_bytes: int | None
    sha256: str | None
    requested_at: datetime
    completed_at: datetime | None
    expires_at: datetime | None
    download_url: str | None
    error: str | None


def to_response(export: Export) -> ExportResponse:
    progress = export.progress
    return ExportResponse(
        id=export.id,
        job_id=export.job_id,
        format=export.format,
        first=export.first,
        last=export.last,
        type=export.type,
        status=export.status,
        progress=ExportProgressResponse(*progress) if progress else None,
        row_count=export.row_count,
        size_bytes=export.size_bytes,
        sha256=export.sha256,
        requested_at=export.requested_at,
        completed_at=export.completed_at,
        expires_at=export.expires_at,
        download_url=f"/api/v1/export/{export.id}/download" if export.ready else None,
        error=export.error,
    )


def _downloads(request: Request[Any, Any, Any]) -> Downloads:
    return cast("Downloads", request.app.state.downloads)


@get(
    "/activities/csv",
    media_type="text/csv",
    operation_id="downloadActivities",
    dependencies={"downloads": Provide(_downloads, sync_to_thread=False)},
)
async def download_activities(
    me: NamedDependency[Me],
    snapshots: NamedDependency[Snapshots],
    downloads: NamedDependency[Downloads],
    first_day: Annotated[date | None, FIRST_DAY] = None,
    last_day: Annotated[date | None, LAST_DAY] = None,
    activity_type: Annotated[ActivityType | None, ACTIVITY_TYPE] = None,
    bom: Annotated[
        bool,
        QueryParameter(
            description="Start with a byte order mark, so that Excel reads the file as UTF-8."
        ),
    ] = False,
) -> Response[str]:
    """Download your activities as CSV, oldest first, as they are when the download starts.

    If the connection ends abnormally, the file is incomplete. 429 if you have another download in
    progress, 503 if too many people have. A download is cut off after 15 minutes, or if it is read
    at less than 50 kB/s for 30 seconds; and after it has waited for you for 30 seconds, it gives
    way to others.
    """
    filters = Filters(first_day, last_day, activity_type)
    filters.check()
    source = partial(downloads.stream, snapshots, me.id, filters, bom=bom)
    return StreamedDownload(source, "text/csv", FORMATS["csv"].filename)


@post("/request", status_code=202, operation_id="requestExport")
async def request_export(
    data: Annotated[NewExport, Body(examples=[NEW_EXPORT])],
    me: NamedDependency[Me],
    create_once: NamedDependency[IdempotentCreation],
) -> Response[ExportResponse]:
    """Request an export. You get an email when it is ready or has failed.

    If an identical export is in progress, it is returned. 429 if two others are in progress.
    """
    filters = Filters(data.first, data.last, data.type)

    async def create(tx: Transaction) -> ExportResponse:
        return to_response(await requests.request(tx, me.id, data.format, filters))

    return await create_once(create, status=202, location="/api/v1/export/{id}/status")


@get("/{export_id:uuid}/status", operation_id="readExport")
async def read_export(
    export_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> ExportResponse:
    """Get the status of an export."""
    return to_response(await requests.find(database, me.id, ExportId(export_id)))


@get("/{export_id:uuid}/download", status_code=302, operation_id="downloadExport")
async def download_export(
    export_id: FromPath[UUID],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Redirect:
    """Download an export.

    Redirects to a URL that works for five minutes without a token. 409 if the export is not ready,
    has failed or is being recreated. 410 if it has expired.
    """
    url = await requests.download(database, bucket, me.id, ExportId(export_id))
    return Redirect(url, status_code=302)


@get("/history", operation_id="listExports")
async def list_exports(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ExportResponse]:
    """List your exports, newest first."""
    after = decode_cursor(cursor, tuple[ExportId])
    rows = await requests.history(database, me.id, after[0] if after else None, limit + 1)
    return page_of([to_response(export) for export in rows], limit, key=lambda last: (last.id,))


@delete("/{export_id:uuid}", operation_id="deleteExport")
async def delete_export(
    export_id: FromPath[UUID],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Response[None]:
    """Delete an export, finished or not. Its file is removed after the response."""
    async with database.transaction() as tx:
        key = await requests.delete(tx, me.id, ExportId(export_id))
    discard = BackgroundTask(bucket.discard, key)
    return Response(None, status_code=204, background=discard)


router = Router(
    "/export",
    route_handlers=[
        download_activities,
        request_export,
        read_export,
        download_export,
        list_exports,
        delete_export,
    ],
    tags=["exports"],
)
