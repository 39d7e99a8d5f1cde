"""Reports: the months that there are, and each as a file."""

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
from app.reports.report import month_of, slug
from app.s3 import Bucket
from app.users.accounts import profile_of
from app.users.user import Me

A_PAGE = 24
"""Months."""


@get("/reports")
async def reports(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    before: Annotated[str | None, QueryParameter(max_length=7)] = None,
) -> Response[str]:
    last: date | None = month_of(before) if before else None
    found = await requests.reports(database, me.id, last, A_PAGE + 1)
    shown = found[:A_PAGE]
    return render_page(
        request,
        "reports",
        reports=[(slug(report.month), report) for report in shown],
        first="/reports" if before else None,
        following=f"/reports?before={slug(shown[-1].month)}" if len(found) > A_PAGE else None,
        profile=await profile_of(database, me.id),
    )


@get("/reports/{month:str}/download")
async def download(
    month: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Redirect:
    address = await requests.download(database, bucket, me.id, month_of(month))
    return Redirect(address, status_code=302)


routes = [reports, download]
