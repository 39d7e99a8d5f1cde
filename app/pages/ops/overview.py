"""The overview, `/ops`: alerts, then queues and schedules."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from app.jobs.admin import dead_letters, queues
from app.jobs.admin.queues import list_workers
from app.jobs.schedules import history
from app.pages.ops.alerts import Snapshot, list_alerts
from app.pages.page import render_page
from app.postgres.database import Database
from app.web.connection import resources_of


@get("/")
async def show_overview(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    weights = resources_of(request).settings.worker.queue_weights
    async with database.transaction() as tx:
        snapshot = Snapshot(
            queues=await queues.list_queues(tx, weights),
            paused_kinds=await queues.paused_kinds(tx),
            blocked=await queues.list_blocked_jobs(tx),
            dead=await dead_letters.count_dead_letters(tx),
            schedules=await history.list_schedules(tx),
            workers=await list_workers(tx),
        )
    return render_page(request, "ops/overview", snapshot=snapshot, alerts=list_alerts(snapshot))


routes = [show_overview]
