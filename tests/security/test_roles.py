"""Every route, as strangers, its owner, somebody else and an operator meet it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from app.resources import Resources
from tests.activities import drawing
from tests.conftest import EMPTY
from tests.security.routes import LINES, PAGES, Line
from tests.security.world import World, build
from tests.support.moments import at
from tests.support.people import Person
from tests.support.wall_clock import WallClock


async def test_every_route_has_a_line(application: Any) -> None:
    routes = {
        f"{method} {route.path_format}"
        for route in application.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"  # Litestar's own; tests/api/test_authentication.py asks for a token
    }
    assert routes == {line.partition("?")[0] for line in LINES}


@pytest.mark.parametrize(("route", "line"), LINES.items(), ids=LINES)
async def test_a_route_is_for_whom_it_is(
    route: str,
    line: Line,
    resources: Resources,
    api: httpx.AsyncClient,
    wall_clock: WallClock,
) -> None:
    wall_clock.stands_at = at("2026-11-02 08:00")  # half an hour after the activity of its line
    spends = route.startswith("POST") and len(set(line.statuses.values())) == 1
    met: dict[str, int] = {}
    world = await build(resources)
    for role in ("stranger", "other", "operator", "kim"):  # only Kim's own request ends her things
        if met and spends:
            await resources.database.execute(EMPTY)
            world = await build(resources)
        met[role] = (await ask(api, world, world.people[role], route, line)).status_code
    assert line.statuses == met


async def ask(
    api: httpx.AsyncClient, world: World, who: Person | None, route: str, line: Line
) -> httpx.Response:
    method, _, template = route.partition(" ")
    content: dict[str, Any] = {}
    if template.endswith("/photos"):
        content = {"files": {"photo": ("photo.png", drawing.saved("PNG"), "image/png")}}
    elif method == "POST" and route in PAGES:
        content = {"data": {**world.form(who), **(line.body or {})}}
    elif line.body:
        content = {"json": line.body}
    return await api.request(method, world.path(template), headers=world.headers(who), **content)
