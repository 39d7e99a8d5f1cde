"""`Location` in responses to requests that create something (RFC 9110, section 10.2.2)."""

from __future__ import annotations

import httpx
import pytest

from app.resources import Resources
from tests.security.routes import API, ROUTES
from tests.security.test_roles import send_request
from tests.security.world import build

CREATING = [route for route in API if 201 in API[route][:4] or 202 in API[route][:4]]
WITHOUT_URL = {
    "POST /users/confirm",  # an email
    "POST /password-resets",
    "POST /friends/requests",  # its sender cannot read it
}


@pytest.mark.parametrize("route", [route for route in CREATING if route not in WITHOUT_URL])
async def test_location_names_a_path_of_the_created_thing(
    route: str, api: httpx.AsyncClient, resources: Resources
) -> None:
    world = await build(resources)
    role = "operator" if "/admin/" in route else "kim"
    route = route.replace(" ", " /api/v1", 1)
    created = await send_request(api, world, world.people[role], route, ROUTES[route])
    assert created.status_code in (201, 202)
    location = created.headers["location"]
    assert location.startswith("/api/v1/")
    found = await api.get(location, headers=world.headers(world.people[role]))
    # A session can be deleted but not read; a photo redirects to its file.
    expected = {"sessions": 405, "photos": 302}.get(route.rpartition("/")[2], 200)
    assert found.status_code == expected


async def test_repeated_request_with_an_idempotency_key_gets_the_same_location(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    world = await build(resources)
    headers = {**world.headers(world.people["kim"]), "Idempotency-Key": "1"}
    body = {"type": "run", "started_at": "2026-11-02T07:30:00Z", "duration_s": 1800}
    responses = [await api.post("/api/v1/activities", json=body, headers=headers) for _ in "12"]
    assert responses[1].headers["idempotent-replayed"] == "true"
    assert [response.headers["location"] for response in responses] == [
        f"/api/v1/activities/{responses[0].json()['id']}"
    ] * 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/users/confirm", None),
        ("/api/v1/password-resets", {"email": "nobody@example.com"}),
    ],
)
async def test_accepted_request_for_an_email_has_no_body(
    path: str, body: dict[str, str] | None, api: httpx.AsyncClient, resources: Resources
) -> None:
    world = await build(resources)
    await resources.database.execute("update users set confirmed_at = null")
    headers = world.headers(world.people["kim"])
    response = await api.post(path, json=body, headers=headers)
    assert (response.status_code, response.content) == (202, b"")
