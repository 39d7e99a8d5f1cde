"""The application: the API, health checks, pages and their error handlers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import structlog
from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.exceptions import NotFoundException

from app.activities.pictures import Pictures
from app.api import (
    activities,
    admin,
    exports,
    friends,
    health,
    methods,
    password_resets,
    photos,
    reports,
    sessions,
    stats,
    users,
)
from app.api.authentication import DEPENDENCIES, bearer_authentication
from app.api.bodies import BODY_LIMITS, Bodies, BodyLimits
from app.api.errors import problem_response
from app.api.middleware import RequestContext, default_headers
from app.api.openapi import openapi_config
from app.api.openapi_completion import complete_openapi
from app.api.validation import StrictRequest, register_query_parameters, validate_request
from app.event_loop import cancel_all, watch_lag
from app.exports.csv import DOWNLOAD_LIMITS, DownloadLimits, Downloads
from app.jobs import load_handlers
from app.resources import Resources
from app.users.passwords import Passwords

log = structlog.get_logger()

MAX_BODY_BYTES = 1_000_000
"""The default maximum size of a request body. A route that accepts more sets its own maximum."""

Clock: TypeAlias = Callable[[], datetime]
"""A function that returns the current time, in UTC."""

system_clock: Clock = partial(datetime.now, UTC)

OpenResources: TypeAlias = Callable[[], AbstractAsyncContextManager[Resources]]
ErrorHandler: TypeAlias = Callable[[Request[Any, Any, Any], Exception], Response[Any]]

API = Router(
    "/api/v1",
    route_handlers=[
        users.router,
        sessions.router,
        password_resets.router,
        activities.router,
        photos.router,
        friends.router,
        friends.blocks_router,
        stats.router,
        exports.router,
        reports.router,
        admin.router,
    ],
)
HEALTH_CHECKS = (health.live, health.ready)


_SECOND_SPELLING = re.compile(
    rb"//|\\|/\.\.?(?:/|$)|%(?:2[fFdDeE]|5[cCfF]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|7[eE])"
)
"""An empty or dot segment, a backslash, an encoded slash or backslash, or an encoded character that
needs no encoding (RFC 3986, sections 6.2.2.2 and 6.2.2.3)."""
NO_ROUTE = "/no-route"
"""A path without a route."""


class Application(Litestar):
    """A Litestar application that handles every request in a `RequestContext`, whatever its path.

    It also answers HEAD, completes `Allow` and limits bodies. A path has one spelling, so that
    a proxy's rule for a path cannot be evaded: any other spelling is a 404.
    """

    request_context = RequestContext()
    bodies = Bodies()
    methods_by_path: Mapping[str, frozenset[str]] = MappingProxyType({})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            app = partial(self.bodies.run, super().__call__)
            answer = partial(methods.answer, app, self.methods_by_path)
            if _SECOND_SPELLING.search(scope.get("raw_path") or b""):
                scope["path"] = NO_ROUTE
            await self.request_context.run(answer, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    open_resources: OpenResources,
    *,
    pages: Sequence[Router] = (),
    not_found_page: ErrorHandler = problem_response,
    clock: Clock = system_clock,
    download_limits: DownloadLimits = DOWNLOAD_LIMITS,
    body_limits: BodyLimits = BODY_LIMITS,
) -> Application:
    """Create the application, which opens the resources on startup and closes them on shutdown.

    Args:
        pages: the routers that serve pages to browsers.
        not_found_page: renders the 404 page for browsers.
        clock: the clock that handlers use.
        download_limits: how slowly a client may read a download before the download is cut off.
        body_limits: how long clients may pause while sending, and the total size of all bodies.
    """

    def not_found(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        if _accepts_pages(request):
            return not_found_page(request, error)
        return problem_response(request, error)

    load_handlers()
    app = Application(
        route_handlers=[API, *HEALTH_CHECKS, *pages],
        lifespan=[_lifespan(open_resources)],
        state=State(
            {
                "passwords": Passwords(),
                "pictures": Pictures(),
                "clock": clock,
                "downloads": Downloads(download_limits),
            }
        ),
        dependencies=DEPENDENCIES,
        middleware=[bearer_authentication],
        before_request=validate_request,
        exception_handlers={Exception: problem_response, NotFoundException: not_found},
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=openapi_config(),
        logging_config=None,  # app/logs.py configures logging
        debug=False,
    )
    app.bodies = Bodies(body_limits)
    app.methods_by_path = methods.methods_by_path(app.routes)
    complete_openapi(app)
    register_query_parameters(app, API.path)
    return app


def _accepts_pages(request: Request[Any, Any, Any]) -> bool:
    """Return whether a browser sent this request to a path outside the API."""
    accepts = request.headers.get("Accept", "")
    return "text/html" in accepts and not request.scope["path"].startswith(API.path)


def _lifespan(
    open_resources: OpenResources,
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_resources() as resources:
            app.state.resources = resources
            cast("Application", app).request_context = RequestContext(
                default_headers(resources.settings)
            )
            lag_watch = asyncio.create_task(watch_lag())
            log.info("api.started")
            try:
                yield
            finally:
                log.info("api.stopping")
                await cancel_all([lag_watch])

    return lifespan
