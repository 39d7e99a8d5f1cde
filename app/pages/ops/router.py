"""The router for the operators' pages, with their guard."""

from __future__ import annotations

from litestar import Router

from app.pages.ops import dead_letters, jobs, overview, queues, schedules, workers
from app.pages.session import operators_only

router = Router(
    "/ops",
    route_handlers=[
        *overview.routes,
        *queues.routes,
        *jobs.routes,
        *dead_letters.routes,
        *schedules.routes,
        *workers.routes,
    ],
    guards=[operators_only],
)
