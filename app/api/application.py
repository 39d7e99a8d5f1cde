"""The API put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State

from app.api import (
    activities,
    admin,
    friends,
    health,
    password_resets,
    photos,
    sessions,
    stats,
    users,
)
from app.api.authentication import bearer_authentication
from app.api.dependencies import DEPENDENCIES
from app.api.errors import problem
from app.api.frame import framed
from app.api.input import StrictRequest, check_input
from app.api.openapi import describe_edges, openapi_config
from app.resources import Resources
from app.users.passwords import Passwords

MAX_BODY = 1_000_000
"""Bytes; a route that takes more says so itself."""


class Application(Litestar):
    """Litestar, with every request in its frame: also those that the router refuses."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await framed(super().__call__, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    open_resources: Callable[[], AbstractAsyncContextManager[Resources]],
    *,
    pages: Sequence[Router] = (),
) -> Application:
    """The application. The resources are opened when it starts and closed when it ends.

    Args:
        pages: what is served to people at a browser, beside the API.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_resources() as resources:
            app.state.resources = resources
            yield

    app = Application(
        route_handlers=[
            Router(
                "/api/v1",
                route_handlers=[
                    users.router,
                    sessions.router,
                    password_resets.router,
                    activities.router,
                    photos.router,
                    friends.router,
                    stats.router,
                    admin.router,
                ],
            ),
            health.live,
            health.ready,
            health.prometheus,
            *pages,
        ],
        lifespan=[lifespan],
        state=State({"passwords": Passwords()}),
        dependencies=DEPENDENCIES,
        middleware=[bearer_authentication],
        before_request=check_input,
        exception_handlers={Exception: problem},
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY,
        openapi_config=openapi_config(),
        logging_config=None,  # app/logs.py has configured it
        debug=False,
    )
    describe_edges(app)
    return app
