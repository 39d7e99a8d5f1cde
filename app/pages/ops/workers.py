"""Workers: `/ops/workers`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from app.jobs.admin.queues import list_workers
from app.pages.page import render_page
from app.postgres.database import Database


@get("/workers")
async def show_workers(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    return render_page(request, "ops/workers", workers=await list_workers(database))


routes = [show_workers]
