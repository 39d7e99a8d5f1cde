"""Access to every route by an anonymous client, the owner, another user and an operator."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from app.postgres.database import Database
from app.resources import Resources
from tests.activities import drawing
from tests.conftest import EMPTY_TABLES
from tests.security.routes import PAGES, ROUTES, Access
from tests.security.world import World, build
from tests.support.moments import at
from tests.support.people import Person
from tests.support.wall_clock import WallClock


async def test_every_route_is_listed(application: Any) -> None:
    routes = {
        f"{method} {route.path_format}"
        for route in application.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"  # Litestar's own; see tests/api/test_authentication.py
    }
    assert routes == {route.partition("?")[0] for route in ROUTES}


@pytest.mark.parametrize(("route", "access"), ROUTES.items(), ids=ROUTES)
async def test_route_returns_the_expected_status_to_each_role(
    route: str,
    access: Access,
    resources: Resources,
    owner: Database,
    api: httpx.AsyncClient,
    wall_clock: WallClock,
) -> None:
    wall_clock.fixed_at = at("2026-11-02 08:00")  # just as the activity ends
    uses_up = route.startswith("POST") and len(set(access.statuses.values())) == 1
    statuses: dict[str, int] = {}
    world = await build(resources)
    # Kim comes last, as her request may delete the data.
    for role in ("anonymous", "other", "operator", "kim"):
        if statuses and uses_up:
            await owner.execute(EMPTY_TABLES)
            world = await build(resources)
        statuses[role] = (
            await send_request(api, world, world.people[role], route, access)
        ).status_code
    assert access.statuses == statuses


async def send_request(
    api: httpx.AsyncClient, world: World, who: Person | None, route: str, access: Access
) -> httpx.Response:
    method, _, template = route.partition(" ")
    content: dict[str, Any] = {}
    if template.endswith("/photos"):
        content = {"files": {"photo": ("photo.png", drawing.saved("PNG"), "image/png")}}
    elif method == "POST" and route in PAGES:
        content = {"data": {**world.form(who), **(access.body or {})}}
    elif access.body:
        content = {"json": access.body}
    return await api.request(method, world.path(template), headers=world.headers(who), **content)
