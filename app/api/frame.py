"""What is around every request, found or not: id and trace, log line, figures, headers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from app import logs
from app.api.measures import in_flight, measures_of
from app.api.traces import traceparent_of
from app.settings import Settings

log = structlog.get_logger(__name__)

REQUEST_ID = b"x-request-id"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Set where a route has not set its own."""
BY_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}

CALLED_BY_MACHINES = {"/health/live", "/health/ready", "/metrics"}
"""Routes whose log lines would drown the others."""


def headers_for(settings: Settings) -> Mapping[str, str]:
    """The headers of every answer.

    Browsers that meet us by https are told to come by nothing else, but not in development, where
    other things are served under the same name.
    """
    secure = settings.http.app_url.startswith("https://") and not settings.development
    return {**HEADERS, **BY_HTTPS_ONLY} if secure else HEADERS


class Frame:
    """Runs requests under their ids."""

    def __init__(self, headers: Mapping[str, str] = HEADERS) -> None:
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def run(self, app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
        begun, status = perf_counter(), 0
        request_id = _request_id(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = list(message["headers"])
                own = (REQUEST_ID, request_id)
                message["headers"] = [*given, *self._missing(given), own]
            await send(message)

        traceparent = traceparent_of(scope["headers"])
        bound = logs.REQUEST.set(logs.Cause(request_id.decode(), traceparent))
        in_flight.inc()
        try:
            await app(scope, receive, send_with_headers)
        finally:
            in_flight.dec()
            _tell(scope, status, perf_counter() - begun)
            logs.REQUEST.reset(bound)

    def _missing(self, given: Sequence[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in given}
        return (header for header in self._headers if header[0] not in names)


def _request_id(scope: Scope) -> bytes:
    """The id that the caller gave, when it is fit for a header and a log line."""
    given = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")
    if re.fullmatch(rb"[A-Za-z0-9._-]{1,128}", given):
        return given
    return secrets.token_hex(16).encode()


def _tell(scope: HTTPScope, status: int, seconds: float) -> None:
    """Count the request and log it: by its route, since paths hold tokens."""
    method, route = scope["method"], scope.get("path_template")
    measures_of(method, route).ended(status, seconds)
    write = log.debug if route in CALLED_BY_MACHINES else log.info
    write(
        "request",
        method=method,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
    )
