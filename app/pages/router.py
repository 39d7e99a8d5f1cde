"""All pages under one router, with what their answers share."""

from __future__ import annotations

from litestar import Router
from litestar.datastructures import ResponseHeader
from litestar.di import Provide

from app.pages import confirmation, front, letters, resetting, style, unsubscribing
from app.pages.failures import failure_page
from app.pages.page import database_of, passwords_of, templates_of

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)

pages_router = Router(
    "/",
    route_handlers=[
        front.front,
        confirmation.ask,
        confirmation.confirm_address,
        confirmation.confirmed,
        resetting.ask,
        resetting.choose,
        resetting.done,
        unsubscribing.ask,
        unsubscribing.end,
        style.stylesheet,
        letters.router,
    ],
    dependencies={
        "templates": Provide(templates_of, sync_to_thread=False),
        "database": Provide(database_of, sync_to_thread=False),
        "passwords": Provide(passwords_of, sync_to_thread=False),
    },
    exception_handlers={Exception: failure_page},
    response_headers=[
        ResponseHeader(name="Content-Security-Policy", value=CONTENT_SECURITY_POLICY)
    ],
    include_in_schema=False,
)
