"""The router for all pages, with the headers and limits that they share."""

from __future__ import annotations

from litestar import Router
from litestar.datastructures import ResponseHeader

from app.pages import (
    accounts,
    activities,
    assets,
    confirmation,
    email_previews,
    exports,
    friends,
    front,
    ops,
    password_resets,
    problems,
    reports,
    settings,
    unsubscribe,
    well_known,
)
from app.pages.failures import failure_page
from app.pages.page import CONTENT_SECURITY_POLICY
from app.pages.session import authorize

MAX_FORM_BYTES = 100_000

pages_router = Router(
    "/",
    route_handlers=[
        front.show_front_page,
        *accounts.routes,
        *activities.routes,
        *exports.routes,
        *friends.routes,
        *reports.routes,
        *settings.routes,
        *confirmation.routes,
        *password_resets.routes,
        *unsubscribe.routes,
        *problems.routes,
        *well_known.routes,
        assets.serve_asset,
        email_previews.router,
        ops.router,
    ],
    guards=[authorize],
    exception_handlers={Exception: failure_page},
    response_headers=[
        ResponseHeader(name="Content-Security-Policy", value=CONTENT_SECURITY_POLICY)
    ],
    request_max_body_size=MAX_FORM_BYTES,
    opt={"public": True},  # no API token is required: `authorize` checks access
    include_in_schema=False,
)
