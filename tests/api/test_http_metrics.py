"""How requests are counted: by route template and status, and never by what is in a path."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from app.metrics import registry
from app.resources import Resources, open_resources
from app.settings import Settings
from tests.support.people import person

ONE = "/api/v1/activities/{activity_id}"


def counted(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return registry.get_sample_value("activelog_http_requests_total", labels) or 0


def timed(method: str, route: str) -> float:
    labels = {"method": method, "route": route}
    return registry.get_sample_value("activelog_http_request_seconds_count", labels) or 0


async def test_requests_of_one_route_are_one_series_whatever_they_name(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    kim = await person(resources.database, "kim")
    ids = [uuid4() for _ in range(3)]
    before = counted("GET", ONE, 404), timed("GET", ONE)
    for activity_id in ids:
        await api.get(f"/api/v1/activities/{activity_id}", headers=kim.headers)
    assert (counted("GET", ONE, 404), timed("GET", ONE)) == (before[0] + 3, before[1] + 3)
    served = (await api.get("/metrics")).text
    assert f'route="{ONE}"' in served
    assert not any(str(activity_id) in served for activity_id in ids)


async def test_a_route_is_counted_by_status(api: httpx.AsyncClient, resources: Resources) -> None:
    kim = await person(resources.database, "kim")
    route = "/api/v1/users/me"
    before = counted("GET", route, 200), counted("GET", route, 401)
    await api.get(route, headers=kim.headers)
    await api.get(route)
    assert (counted("GET", route, 200), counted("GET", route, 401)) == (
        before[0] + 1,
        before[1] + 1,
    )


@pytest.mark.parametrize(
    ("method", "path", "counted_as"),
    [
        ("GET", "/wp-login.php", ("GET", "unknown", 404)),
        ("BREW", "/coffee", ("other", "unknown", 404)),
    ],
)
async def test_what_strangers_make_up_makes_no_series(
    method: str, path: str, counted_as: tuple[str, str, int], api: httpx.AsyncClient
) -> None:
    before = counted(*counted_as)
    await api.request(method, path)
    assert counted(*counted_as) == before + 1
    served = (await api.get("/metrics")).text
    assert path not in served
    assert "BREW" not in served


async def test_a_request_is_in_flight_until_it_is_answered(api: httpx.AsyncClient) -> None:
    served = (await api.get("/metrics")).text
    assert "activelog_http_requests_in_flight 1.0" in served.splitlines()
    assert registry.get_sample_value("activelog_http_requests_in_flight") == 0


async def test_pools_are_shown_as_they_are(settings: Settings) -> None:
    def shown(what: str) -> float | None:
        return registry.get_sample_value(f"activelog_database_pool_{what}", {"pool": "main"})

    async with open_resources(settings, process="activelog-tests") as resources:
        assert shown("limit") == settings.database.pool_size
        async with resources.database.transaction() as tx:
            await tx.fetchval("select 1")
            assert (shown("size"), shown("idle")) == (1, 0)
        assert (shown("size"), shown("idle")) == (1, 1)
