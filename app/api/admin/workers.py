"""The route `/admin/workers`."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from app.api.paging import Page
from app.jobs.admin.queues import list_workers as all_workers
from app.jobs.admin.rows import Worker
from app.postgres.database import Database


@get("/workers", operation_id="listWorkers")
async def list_workers(database: NamedDependency[Database]) -> Page[Worker]:
    """List the workers and their running jobs. A lost worker is listed as not alive."""
    return Page(await all_workers(database), None)


routes = [list_workers]
