"""What wraps every request of the API: id, trace, log line, metrics and security headers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from time import perf_counter

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Counter, Gauge, Histogram

from app import logs
from app.metrics import registry
from app.settings import Settings

BY_ROUTE = ("method", "route")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)

METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
ELSEWHERE = "unknown"
"""The route of a request that none takes: paths are without number, labels must not be."""
NO_ANSWER = "none"
"""The status where the caller left before there was one."""

in_flight = Gauge(
    "activelog_http_requests_in_flight", "Requests in progress in this process.", registry=registry
)
requests = Counter(
    "activelog_http_requests",
    "Finished requests by route and status; none if the client disconnected before a response.",
    (*BY_ROUTE, "status"),
    registry=registry,
)
seconds = Histogram(
    "activelog_http_request_seconds",
    "Time from the request headers to the end of the response.",
    BY_ROUTE,
    buckets=SECONDS,
    registry=registry,
)


class RouteMeasures:
    """The metrics of one route, found once: looking labels up costs more than counting."""

    def __init__(self, method: str, route: str) -> None:
        self._seconds = seconds.labels(method, route)
        self._requests = cache(partial(requests.labels, method, route))

    def ended(self, status: int, taken: float) -> None:
        """Count a request. Status 0: there was no answer."""
        self._requests(str(status) if status else NO_ANSWER).inc()
        self._seconds.observe(taken)


_measures = cache(RouteMeasures)


def measures_of(method: str, route: str | None) -> RouteMeasures:
    """Where requests of this method and route template are counted; None: no route takes them."""
    return _measures(method if method in METHODS else "other", route or ELSEWHERE)


_FIELDS = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED_AND_RANDOM = 0b11
"""The flags that are known; others are dropped, as the recommendation asks."""


def traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """What these headers say of a trace, in the form of version 00; None: nothing that is valid."""
    given = [value for name, value in headers if name == b"traceparent"]
    if len(given) != 1 or not (match := _FIELDS.fullmatch(given[0].strip(b" \t"))):
        return None
    version, trace, parent, flags, more = match.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if not trace.strip(b"0") or not parent.strip(b"0"):
        return None
    known = int(flags, 16) & _SAMPLED_AND_RANDOM
    return f"00-{trace.decode()}-{parent.decode()}-{known:02x}"


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
