"""What is around every request, found or not: its id, its log line, its answer's headers."""

from __future__ import annotations

import re
import secrets
from time import perf_counter

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-ID"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Set where a route has not set its own."""

CALLED_BY_MACHINES = {"/health/live", "/health/ready", "/metrics"}
"""Routes whose log lines would drown the others."""


async def framed(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Run a request under its id. The line names the route, not the path: paths hold tokens."""
    request_id = _request_id(scope)
    begun = perf_counter()
    status = 0

    async def send_with_headers(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = MutableScopeHeaders.from_message(message)
            headers[REQUEST_ID] = request_id
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            await app(scope, receive, send_with_headers)
        finally:
            _log(scope, status, perf_counter() - begun)


def _request_id(scope: Scope) -> str:
    """The id that the caller gave, when it is fit for a header and a log line."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    if re.fullmatch(rb"[A-Za-z0-9._-]{1,128}", given):
        return given.decode()
    return secrets.token_hex(16)


def _log(scope: HTTPScope, status: int, seconds: float) -> None:
    route = scope.get("path_template")
    write = log.debug if route in CALLED_BY_MACHINES else log.info
    write(
        "request",
        method=scope["method"],
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
    )
