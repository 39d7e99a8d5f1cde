"""The JSON API refuses unknown query parameters, and the error names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.postgres.database import Database
from app.resources import Resources
from tests.security.world import World, build
from tests.support.people import Person, person

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
async def world(resources: Resources) -> World:
    return await build(resources)


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def operations(api: httpx.AsyncClient) -> Iterator[tuple[str, str, list[str]]]:
    """Return the method, path and query parameters of every operation in the JSON API."""
    document = (await api.get("/schema/openapi.json")).json()
    return (
        (method.upper(), path, query_parameters(item[method]))
        for path, item in document["paths"].items()
        if path.startswith("/api/v1/")
        for method in METHODS
        if method in item
    )


def query_parameters(operation: dict[str, Any]) -> list[str]:
    return sorted(
        parameter["name"]
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    )


async def test_every_route_refuses_and_names_an_unknown_parameter(
    api: httpx.AsyncClient, world: World
) -> None:
    headers = world.headers(world.people["operator"])
    checked = 0
    for method, path, accepted in await operations(api):
        response = await api.request(
            method, f"{world.path(path)}?utm_source=email", headers=headers
        )

        assert response.status_code == 400, (method, path)
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert [error["field"] for error in problem["errors"]] == ["utm_source"], (method, path)
        listed = ", ".join(accepted) or "no query parameters"
        assert problem["detail"].endswith(f"This route accepts {listed}."), (method, path)
        checked += 1
    assert checked > 40


async def test_declared_parameters_are_never_reported_as_unknown(
    api: httpx.AsyncClient, world: World
) -> None:
    headers = world.headers(world.people["operator"])
    checked = 0
    for method, path, accepted in await operations(api):
        if not accepted:
            continue
        query = "&".join(f"{name}=1" for name in accepted)

        response = await api.request(method, f"{world.path(path)}?{query}", headers=headers)

        assert "This route accepts" not in response.text, (method, path)
        checked += 1
    assert checked > 5


async def test_error_names_all_unknown_and_all_accepted_parameters(
    api: httpx.AsyncClient, kim: Person
) -> None:
    response = await api.get(
        "/api/v1/activities?limit=5&first_day=2026-01-01&page=&page=2&sort", headers=kim.headers
    )

    assert response.status_code == 400
    assert response.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": (
            "Unknown query parameters: first_day, page, sort."
            " This route accepts cursor, from, limit, to, type."
        ),
        "errors": [
            {"field": name, "detail": "Unknown query parameter."}
            for name in ("first_day", "page", "sort")
        ],
    }


async def test_request_with_an_unknown_parameter_has_no_effect(
    api: httpx.AsyncClient, kim: Person, database: Database
) -> None:
    run = {"type": "run", "started_at": "2026-11-21T07:30:00+01:00", "duration_s": 2700}
    headers = {**kim.headers, "Idempotency-Key": "a run"}

    refused = await api.post("/api/v1/activities?dry_run=true", json=run, headers=headers)

    assert refused.status_code == 400
    assert await database.fetchval("select count(*) from activities") == 0
    assert (await api.post("/api/v1/activities", json=run, headers=headers)).status_code == 201


async def test_every_parameter_may_be_given_only_once(api: httpx.AsyncClient, world: World) -> None:
    headers = world.headers(world.people["operator"])
    checked = 0
    for method, path, accepted in await operations(api):
        for name in accepted:
            url = f"{world.path(path)}?{name}=1&{name}=1"

            response = await api.request(method, url, headers=headers)

            assert response.status_code == 400, (method, url)
            detail = f"The query parameter {name} must not be repeated."
            assert response.json()["detail"] == detail, (method, url)
            assert response.json()["errors"] == [{"field": name, "detail": detail}]
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("path", ["/", "/sign-in", "/health/live", "/health/ready", "/schema"])
async def test_pages_and_health_checks_ignore_unknown_parameters(
    api: httpx.AsyncClient, path: str
) -> None:
    response = await api.get(f"{path}?utm_source=email")

    assert response.status_code == 200


async def test_options_request_ignores_unknown_parameters(
    api: httpx.AsyncClient, kim: Person
) -> None:
    response = await api.options("/api/v1/activities?utm_source=email", headers=kim.headers)

    assert response.status_code == 204


async def test_missing_token_is_reported_before_unknown_parameters(api: httpx.AsyncClient) -> None:
    response = await api.get("/api/v1/activities?utm_source=email")

    assert response.status_code == 401
