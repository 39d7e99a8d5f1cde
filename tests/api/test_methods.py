"""HEAD and `Allow` on every path (RFC 9110, sections 9.3.2 and 10.2.1)."""

from __future__ import annotations

import json

import httpx
import pytest

from app.postgres.database import Database
from app.resources import Resources
from tests.api.test_asgi import serving
from tests.api.test_http_metrics import request_count
from tests.security.routes import ROUTES
from tests.security.world import build
from tests.support.exports import CSV, add_activities
from tests.support.people import person

GET_ROUTES = [route for route in ROUTES if route.startswith("GET ")]
NEW_EACH_TIME = {"x-request-id", "date", "location", "set-cookie"}
"""Headers whose values differ between two equal requests, such as a signed URL."""


def stable_headers(response: httpx.Response, route: str) -> dict[str, str]:
    changing = NEW_EACH_TIME | ({"content-length"} if route == "GET /metrics" else set())
    return {
        name: "" if name in changing else value for name, value in sorted(response.headers.items())
    }


@pytest.mark.parametrize("route", GET_ROUTES)
async def test_head_has_the_status_and_headers_of_get_and_no_body(
    route: str, api: httpx.AsyncClient, resources: Resources
) -> None:
    world = await build(resources)
    path = world.path(route.removeprefix("GET "))
    for who in world.people.values():
        got = await api.get(path, headers=world.headers(who))
        head = await api.head(path, headers=world.headers(who))
        assert head.status_code == got.status_code
        assert stable_headers(head, route) == stable_headers(got, route)
        assert head.content == b""


@pytest.mark.parametrize("path", ["/nothing/here", "/api/v1/nothing", "/schema/nothing"])
async def test_head_of_an_unknown_path_is_404_without_a_body(
    api: httpx.AsyncClient, path: str
) -> None:
    response = await api.head(path)
    assert (response.status_code, response.content) == (404, b"")


async def test_head_of_a_path_without_get_is_405(api: httpx.AsyncClient) -> None:
    response = await api.head("/api/v1/users")
    assert (response.status_code, response.headers["allow"]) == (405, "OPTIONS, POST")
    assert response.content == b""


async def test_head_of_a_csv_download_reads_no_rows(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    kim = await person(resources.database, "kim")
    async with resources.database.transaction() as tx:
        await tx.execute("lock table activities in access exclusive mode")
        response = await api.head(CSV, headers=kim.headers)
    assert response.status_code == 200
    assert response.headers["content-disposition"] == 'attachment; filename="activities.csv"'


async def test_head_requests_of_csv_downloads_leave_all_download_connections_free(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    kim = await person(resources.database, "kim")
    for _ in range(2 * resources.settings.database.export_pool_size):
        assert (await api.head(CSV, headers=kim.headers)).status_code == 200
    assert (await api.get(CSV, headers=kim.headers)).status_code == 200


async def test_head_is_counted_as_head_under_its_route(api: httpx.AsyncClient) -> None:
    before = request_count("HEAD", "/health/live", 200), request_count("GET", "/health/live", 200)
    await api.head("/health/live")
    assert (
        request_count("HEAD", "/health/live", 200),
        request_count("GET", "/health/live", 200),
    ) == (before[0] + 1, before[1])


async def test_head_is_logged_as_head_and_works_over_one_kept_connection(
    environ: dict[str, str], database: Database
) -> None:
    kim = await person(database, "kim")
    await add_activities(database, kim.id, 1000)
    async with serving(environ) as (api, written):
        for path in ("/schema", CSV, "/nothing", "/api/v1/users/me"):
            response = await api.head(
                path, headers={**kim.headers, "X-Request-ID": f"head-{path.rpartition('/')[2]}"}
            )
            assert response.content == b""
        assert len((await api.get(CSV, headers=kim.headers)).text.splitlines()) == 1001
    lines = [json.loads(line) for line in written[0].splitlines() if b'"head-csv"' in line]
    assert [(line["method"], line["status"]) for line in lines] == [("HEAD", 200)]


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
async def test_allow_lists_all_methods_of_each_path_on_options_and_405(
    method: str, api: httpx.AsyncClient, resources: Resources
) -> None:
    world = await build(resources)
    expected: dict[str, set[str]] = {}
    for route in (route for route in ROUTES if " /dev/" not in route):  # exist in development only
        verb, _, template = route.partition("?")[0].partition(" ")
        verbs = {"GET", "HEAD"} if verb == "GET" else {verb}
        expected.setdefault(template, {"OPTIONS"}).update(verbs)
    for template, allowed in expected.items():
        headers = world.headers(world.people["operator"])
        response = await api.request(method, world.path(template), headers=headers)
        assert response.status_code == (204 if method == "OPTIONS" else 405), template
        assert (template, response.headers["allow"]) == (template, ", ".join(sorted(allowed)))
