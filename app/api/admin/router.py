"""The router for all admin routes, with their guard."""

from __future__ import annotations

from litestar import Router

from app.api.admin import dead_letters, jobs, queues, schedules, workers
from app.api.authentication import operators_only

router = Router(
    "/admin",
    route_handlers=[
        *queues.routes,
        *workers.routes,
        *jobs.routes,
        *dead_letters.routes,
        *schedules.routes,
    ],
    dependencies=queues.DEPENDENCIES,
    guards=[operators_only],
    tags=["admin"],
)
