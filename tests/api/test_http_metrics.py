"""Metrics of requests, labelled by route and never by path, and of the connection pool."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.api.middleware import RequestContext
from app.metrics import registry, render
from app.resources import Resources, open_resources
from app.settings import Settings
from tests.support.people import person

ROUTE = "/api/v1/activities/{activity_id}"


def request_count(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return registry.get_sample_value("activelog_http_requests_total", labels) or 0


def timed_requests(method: str, route: str) -> float:
    labels = {"method": method, "route": route}
    return registry.get_sample_value("activelog_http_request_seconds_count", labels) or 0


async def test_requests_to_one_route_share_a_series(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    kim = await person(resources.database, "kim")
    ids = [uuid4() for _ in range(3)]
    before = request_count("GET", ROUTE, 404), timed_requests("GET", ROUTE)
    for activity_id in ids:
        await api.get(f"/api/v1/activities/{activity_id}", headers=kim.headers)
    assert (request_count("GET", ROUTE, 404), timed_requests("GET", ROUTE)) == (
        before[0] + 3,
        before[1] + 3,
    )
    metrics = render().decode()
    assert f'route="{ROUTE}"' in metrics
    assert not any(str(activity_id) in metrics for activity_id in ids)


async def test_requests_are_counted_by_status(api: httpx.AsyncClient, resources: Resources) -> None:
    kim = await person(resources.database, "kim")
    route = "/api/v1/users/me"
    before = request_count("GET", route, 200), request_count("GET", route, 401)
    await api.get(route, headers=kim.headers)
    await api.get(route)
    assert (request_count("GET", route, 200), request_count("GET", route, 401)) == (
        before[0] + 1,
        before[1] + 1,
    )


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/wp-login.php", ("GET", "unknown", 404)),
        ("BREW", "/coffee", ("other", "unknown", 404)),
    ],
)
async def test_unknown_paths_and_methods_create_no_series_of_their_own(
    method: str, path: str, labels: tuple[str, str, int], api: httpx.AsyncClient
) -> None:
    before = request_count(*labels)
    await api.request(method, path)
    assert request_count(*labels) == before + 1
    metrics = render().decode()
    assert path not in metrics
    assert "BREW" not in metrics


async def test_request_is_in_flight_until_its_response() -> None:
    def in_flight() -> float | None:
        return registry.get_sample_value("activelog_http_requests_in_flight")

    async def answer(*_: object) -> None:
        assert in_flight() == 1

    unused: Any = None
    scope: Any = {"type": "http", "method": "GET", "headers": []}
    await RequestContext().run(answer, scope, unused, unused)
    assert in_flight() == 0


async def test_metrics_show_the_limit_and_size_of_the_pool_and_its_idle_connections(
    settings: Settings,
) -> None:
    def pool_metric(name: str) -> float | None:
        return registry.get_sample_value(f"activelog_database_pool_{name}", {"pool": "main"})

    async with open_resources(settings, process="activelog-tests") as resources:
        assert pool_metric("limit") == settings.database.pool_size
        async with resources.database.transaction() as tx:
            await tx.fetchval("select 1")
            assert (pool_metric("size"), pool_metric("idle")) == (1, 0)
        assert (pool_metric("size"), pool_metric("idle")) == (1, 1)
