"""The routes under `/reports`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Meta, Struct

from app.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from app.postgres.database import Database
from app.reports import requests
from app.reports.report import Report, parse_month, slug
from app.s3 import Bucket
from app.users.user import Me
from app.web.cursors import decode_cursor


class ReportResponse(Struct, frozen=True):
    """A monthly report. Its download URL requires the owner's token."""

    month: Annotated[str, Meta(examples=["2026-11"])]
    size_bytes: int
    created_at: datetime
    download_url: str


def to_response(report: Report) -> ReportResponse:
    month = slug(report.month)
    return ReportResponse(
        month=month,
        size_bytes=report.size_bytes,
        created_at=report.created_at,
        download_url=f"/api/v1/reports/{month}/download",
    )


@get("/", operation_id="listReports")
async def list_reports(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ReportResponse]:
    """List your reports, newest month first.

    A report for the previous month is created on the 1st, if that month has any activities.
    """
    after = decode_cursor(cursor, tuple[date])
    rows = await requests.reports(database, me.id, after[0] if after else None, limit + 1)
    reports = page_of(rows, limit, key=lambda last: (last.month,))
    return Page([to_response(report) for report in reports.items], reports.next_cursor)


@get("/{month:str}/download", status_code=302, operation_id="downloadReport")
async def download_report(
    month: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Redirect:
    """Download the report for a month such as 2026-11.

    Redirects to a URL that works for five minutes without a token. 409 while a missing or
    damaged file is being recreated.
    """
    url = await requests.download(database, bucket, me.id, parse_month(month))
    return Redirect(url, status_code=302)


router = Router("/reports", route_handlers=[list_reports, download_report], tags=["reports"])
