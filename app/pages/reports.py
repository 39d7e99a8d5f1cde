"""Listing and downloading monthly reports."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect

from app.pages.page import render_page
from app.postgres.database import Database
from app.reports import requests
from app.reports.report import parse_month, slug
from app.s3 import Bucket
from app.users.accounts import profile_of
from app.users.user import Me

PAGE_SIZE = 24


@get("/reports")
async def list_reports(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    before: Annotated[str | None, QueryParameter(max_length=7)] = None,
) -> Response[str]:
    before_month: date | None = parse_month(before) if before else None
    rows = await requests.reports(database, me.id, before_month, PAGE_SIZE + 1)
    items = rows[:PAGE_SIZE]
    return render_page(
        request,
        "reports",
        reports=[(slug(report.month), report) for report in items],
        first_url="/reports" if before else None,
        next_url=f"/reports?before={slug(items[-1].month)}" if len(rows) > PAGE_SIZE else None,
        profile=await profile_of(database, me.id),
    )


@get("/reports/{month:str}/download")
async def download_report(
    month: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Redirect:
    url = await requests.download(database, bucket, me.id, parse_month(month))
    return Redirect(url, status_code=302)


routes = [list_reports, download_report]
