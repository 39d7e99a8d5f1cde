"""The API put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias, cast

import structlog
from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.exceptions import NotFoundException

from app.api import (
    activities,
    admin,
    exports,
    friends,
    health,
    password_resets,
    photos,
    reports,
    sessions,
    stats,
    users,
)
from app.api.authentication import DEPENDENCIES, bearer_authentication
from app.api.errors import problem
from app.api.middleware import Frame, headers_for
from app.api.openapi import describe_edges, openapi_config
from app.api.validation import StrictRequest, check_input, note_query_parameters
from app.event_loop import cancel_all, watch_lag
from app.exports.csv import DOWNLOAD_LIMITS, DownloadLimits
from app.jobs import load_handlers
from app.resources import Resources
from app.users.passwords import Passwords

log = structlog.get_logger()

MAX_BODY = 1_000_000
"""Bytes; a route that takes more says so itself."""

Clock: TypeAlias = Callable[[], datetime]
"""What time it is, in UTC."""

system_clock: Clock = partial(datetime.now, UTC)

OpenResources: TypeAlias = Callable[[], AbstractAsyncContextManager[Resources]]
FailureHandler: TypeAlias = Callable[[Request[Any, Any, Any], Exception], Response[Any]]

API = Router(
    "/api/v1",
    route_handlers=[
        users.router,
        sessions.router,
        password_resets.router,
        activities.router,
        photos.router,
        friends.router,
        stats.router,
        exports.router,
        reports.router,
        admin.router,
    ],
)
MACHINES = (health.live, health.ready, health.prometheus)


class Application(Litestar):
    """Litestar, with every request in its frame: also those that the router refuses."""

    frame = Frame()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.frame.run(super().__call__, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    open_resources: OpenResources,
    *,
    pages: Sequence[Router] = (),
    lost: FailureHandler = problem,
    clock: Clock = system_clock,
    download_limits: DownloadLimits = DOWNLOAD_LIMITS,
) -> Application:
    """The application. The resources are opened when it starts and closed when it ends.

    Args:
        pages: what is served to people at a browser, beside the API.
        lost: what answers them at an address where there is nothing.
        clock: what time it is for the handlers.
        download_limits: how slowly a download may be read before it is cut off.
    """

    def not_found(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        return (lost if _is_person(request) else problem)(request, error)

    load_handlers()
    app = Application(
        route_handlers=[API, *MACHINES, *pages],
        lifespan=[_lifespan(open_resources)],
        state=State({"passwords": Passwords(), "clock": clock, "download_limits": download_limits}),
        dependencies=DEPENDENCIES,
        middleware=[bearer_authentication],
        before_request=check_input,
        exception_handlers={Exception: problem, NotFoundException: not_found},
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY,
        openapi_config=openapi_config(),
        logging_config=None,  # app/logs.py has configured it
        debug=False,
    )
    describe_edges(app)
    note_query_parameters(app, API.path)
    return app


def _is_person(request: Request[Any, Any, Any]) -> bool:
    """At a browser, and not at an address of the API."""
    accepts = request.headers.get("Accept", "")
    return "text/html" in accepts and not request.scope["path"].startswith(API.path)


def _lifespan(
    open_resources: OpenResources,
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_resources() as resources:
            app.state.resources = resources
            cast("Application", app).frame = Frame(headers_for(resources.settings))
            watching = asyncio.create_task(watch_lag())
            log.info("api.started")
            try:
                yield
            finally:
                log.info("api.stopping")
                await cancel_all([watching])

    return lifespan
