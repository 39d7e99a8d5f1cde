"""How many requests there are, how they end and how long they take, by route."""

from __future__ import annotations

from functools import cache, partial

from prometheus_client import Counter, Gauge, Histogram

from app.metrics import registry

BY_ROUTE = ("method", "route")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)

METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
ELSEWHERE = "unknown"
"""The route of a request that none takes: paths are without number, labels must not be."""
NO_ANSWER = "none"
"""The status where the caller left before there was one."""

in_flight = Gauge(
    "activelog_http_requests_in_flight", "Requests that this process is at.", registry=registry
)
requests = Counter(
    "activelog_http_requests",
    "Requests that ended, by route and status; status none: the caller left before an answer.",
    (*BY_ROUTE, "status"),
    registry=registry,
)
seconds = Histogram(
    "activelog_http_request_seconds",
    "From the head of a request to the end of its answer.",
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
