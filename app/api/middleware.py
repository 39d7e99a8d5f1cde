"""Middleware: an id, a trace, a log line, metrics and default headers for every HTTP request."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from time import perf_counter

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, ReceiveMessage, Scope, Send
from prometheus_client import Counter, Gauge, Histogram

from app import logs
from app.metrics import registry
from app.settings import Settings

ROUTE_LABELS = ("method", "route")
DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)

KNOWN_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
OTHER_METHOD = "other"
UNKNOWN_ROUTE = "unknown"
"""The route label if no route matched. A label per path would create too many time series."""
NO_RESPONSE = "none"
"""The status label for requests that got no response because the client disconnected."""

requests_in_flight = Gauge(
    "activelog_http_requests_in_flight", "Requests in progress in this process.", registry=registry
)
request_count = Counter(
    "activelog_http_requests",
    "Finished requests by method, route and status (none: the client disconnected first).",
    (*ROUTE_LABELS, "status"),
    registry=registry,
)
request_seconds = Histogram(
    "activelog_http_request_seconds",
    "Time from the request headers to the end of the response.",
    ROUTE_LABELS,
    buckets=DURATION_BUCKETS_S,
    registry=registry,
)


class RouteMetrics:
    """The metrics for a method and route, cached: looking up labels costs more than counting."""

    def __init__(self, method: str, route: str) -> None:
        self._request_seconds = request_seconds.labels(method, route)
        self._request_count = cache(partial(request_count.labels, method, route))

    def count(self, status: int, duration_s: float) -> None:
        """Count a finished request. Status 0 means that there was no response."""
        self._request_count(str(status) if status else NO_RESPONSE).inc()
        self._request_seconds.observe(duration_s)


_route_metrics = cache(RouteMetrics)


def metrics_of(method: str, route: str | None) -> RouteMetrics:
    """Return the metrics for a method and a route template. `route` is None if no route matched."""
    return _route_metrics(
        method if method in KNOWN_METHODS else OTHER_METHOD, route or UNKNOWN_ROUTE
    )


_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KNOWN_FLAGS = 0b11
"""`sampled` and `random`. Other flags are cleared, as W3C Trace Context requires."""


def traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return a request's trace context as a version 00 traceparent.

    None if the header is missing, repeated or invalid.
    """
    values = [value for name, value in headers if name == b"traceparent"]
    if len(values) != 1 or not (match := _TRACEPARENT.fullmatch(values[0].strip(b" \t"))):
        return None
    version, trace, parent, flags, rest = match.groups()
    if version == b"ff" or (version == b"00" and rest is not None):
        return None
    if not trace.strip(b"0") or not parent.strip(b"0"):
        return None
    known_flags = int(flags, 16) & _KNOWN_FLAGS
    return f"00-{trace.decode()}-{parent.decode()}-{known_flags:02x}"


log = structlog.get_logger(__name__)

REQUEST_ID_HEADER = b"x-request-id"

DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Added to a response unless its route has set them."""
HTTPS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}

POLLED_ROUTES = {"/health/live", "/health/ready"}
"""Logged only at debug level, so that they do not drown out other lines."""


def default_headers(settings: Settings) -> Mapping[str, str]:
    """Return the headers that every response gets by default.

    If the service runs on https, they tell browsers to use only https for this host, except in
    development, where the same host name also serves other things over http.
    """
    secure = settings.http.app_url.startswith("https://") and not settings.development
    return {**DEFAULT_HEADERS, **HTTPS_HEADERS} if secure else DEFAULT_HEADERS


class RequestContext:
    """ASGI middleware around the whole application, so it also covers requests without a route."""

    def __init__(self, headers: Mapping[str, str] = DEFAULT_HEADERS) -> None:
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def run(self, app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Handle a request. Its log lines and the jobs that it enqueues get its id and trace."""
        started_at, status, disconnected = perf_counter(), 0, False
        request_id = _request_id(scope)

        async def receive_until_disconnected() -> ReceiveMessage:
            nonlocal disconnected
            message = await receive()
            disconnected = disconnected or message["type"] == "http.disconnect"
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = 0 if disconnected else message["status"]
                headers = list(message["headers"])
                message["headers"] = [
                    *headers,
                    *self._missing_headers(headers),
                    (REQUEST_ID_HEADER, request_id),
                ]
            await send(message)

        traceparent = traceparent_of(scope["headers"])
        context_token = logs.REQUEST.set(logs.Origin(request_id.decode(), traceparent))
        requests_in_flight.inc()
        try:
            await app(scope, receive_until_disconnected, send_with_headers)
        finally:
            requests_in_flight.dec()
            _record(scope, status, perf_counter() - started_at)
            logs.REQUEST.reset(context_token)

    def _missing_headers(
        self, headers: Sequence[tuple[bytes, bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in headers}
        return (header for header in self._headers if header[0] not in names)


def _request_id(scope: Scope) -> bytes:
    """Return the client's request id if it is safe for a header and a log line, else a new one."""
    value = next((value for name, value in scope["headers"] if name == REQUEST_ID_HEADER), b"")
    if re.fullmatch(rb"[A-Za-z0-9._-]{1,128}", value):
        return value
    return secrets.token_hex(16).encode()


def _record(scope: HTTPScope, status: int, duration_s: float) -> None:
    """Count and log a request by its route template, because paths contain tokens."""
    method, route = scope["method"], scope.get("path_template")
    metrics_of(method, route).count(status, duration_s)
    write = log.debug if route in POLLED_ROUTES else log.info
    write(
        "request.finished",
        method=method,
        route=route,
        status=status,
        milliseconds=round(duration_s * 1000, 1),
    )
