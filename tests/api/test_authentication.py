"""Which routes require a token, and which tokens are accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from litestar import get
from litestar.routes import HTTPRoute

from app.api.application import Application, create_app
from app.api.authentication import operators_only
from app.postgres.database import Database
from app.resources import Resources
from app.settings import Settings
from tests.conftest import lifespan_of
from tests.support.people import person

PUBLIC = {
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/schema"),
    ("GET", "/schema/openapi.json"),
    ("GET", "/schema/{path}"),
    ("POST", "/api/v1/password-resets"),
    ("POST", "/api/v1/password-resets/{token}"),
    ("POST", "/api/v1/sessions"),
    ("POST", "/api/v1/users"),
    ("POST", "/api/v1/users/confirm/{token}"),
    ("DELETE", "/api/v1/users/confirm/{token}"),
}
"""The routes that require no token. Before you add one, make sure that it must be public."""

UUID = "01980000-0000-7000-8000-000000000000"


@pytest.fixture
async def app(settings: Settings, resources: Resources) -> AsyncIterator[Application]:
    @asynccontextmanager
    async def existing_resources() -> AsyncIterator[Resources]:
        yield resources

    app = create_app(existing_resources)
    async with lifespan_of(app):
        yield app


def client(app: Application) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


async def test_every_non_public_route_requires_a_token(
    app: Application,
) -> None:
    routes = {
        (str(method), route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
    }
    assert routes >= PUBLIC
    schema_options = {("OPTIONS", path) for _, path in PUBLIC if path.startswith("/schema")}
    async with client(app) as api:
        for method, path in sorted(routes - PUBLIC - schema_options):
            concrete = "/".join(UUID if part[:1] == "{" else part for part in path.split("/"))
            response = await api.request(method, concrete, content=b"\0" * 2_000_000)
            assert (method, path, 401) == (method, path, response.status_code)
            assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic a2ltOmtpbQ==", "Bearer \xfc"]
)
async def test_invalid_authorization_header_is_401(api: httpx.AsyncClient, header: str) -> None:
    headers = {b"Authorization": header.encode("latin-1")}
    response = await api.get("/api/v1/users/me", headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


async def test_authorization_scheme_is_case_insensitive(
    api: httpx.AsyncClient, database: Database
) -> None:
    kim = await person(database, "kim")
    token = kim.headers["Authorization"].removeprefix("Bearer ")
    headers = {"Authorization": f"bearer {token}"}
    assert (await api.get("/api/v1/users/me", headers=headers)).status_code == 200


async def test_route_with_the_operators_only_guard_requires_an_operator(
    app: Application, database: Database
) -> None:
    @get("/admin/probe", guards=[operators_only])
    async def probe() -> None: ...

    app.register(probe)
    headers = (await person(database, "kim")).headers
    async with client(app) as api:
        assert (await api.get("/admin/probe")).status_code == 401
        assert (await api.get("/admin/probe", headers=headers)).status_code == 403
        await database.execute("update users set is_admin = true")
        assert (await api.get("/admin/probe", headers=headers)).status_code == 200
