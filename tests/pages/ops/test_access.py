"""Who may look at the pages of operators, and act there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.pages.ops import router
from app.postgres.database import Database
from tests.pages.browsing import press, words
from tests.pages.ops.conftest import SESSION
from tests.support.people import person
from tests.support.trials import CriticalTrial, put

NOBODYS = "00000000-0000-7000-8000-000000000000"
PLACES = {
    "name:str": "low",
    "job_id:uuid": NOBODYS,
    "fingerprint:str": "0123456789abcdef",
}


def routes() -> list[Any]:
    """Method and path of every route, with something for what varies."""
    found = []
    for route in router.routes:
        path = route.path
        for name, value in PLACES.items():
            path = path.replace(f"{{{name}}}", value)
        found += [(method, path) for method in sorted(route.methods - {"OPTIONS", "HEAD"})]
    return found


@pytest.mark.parametrize(("method", "path"), routes())
async def test_nobody_else_may_see_or_do_anything(
    browser: httpx.AsyncClient, database: Database, method: str, path: str
) -> None:
    asked = await browser.request(method, path)
    assert asked.status_code == 303
    assert asked.headers["location"].startswith("/sign-in")

    browser.cookies.set(SESSION, (await person(database, "kim")).token)
    refused = await browser.request(method, path)
    assert 403 == refused.status_code


@pytest.mark.parametrize("path", [path for method, path in routes() if method == "POST"])
async def test_a_form_of_another_site_does_nothing(desk: httpx.AsyncClient, path: str) -> None:
    refused = await desk.post(path, data={"csrf": "made up"})
    assert 403 == refused.status_code
    assert "This form has expired or did not come from ActiveLog" in words(refused)


async def test_the_way_to_the_pages_is_shown_to_operators_only(
    browser: httpx.AsyncClient, database: Database, desk: httpx.AsyncClient
) -> None:
    assert 'href="/ops"' in (await desk.get("/ops")).text
    browser.cookies.set(SESSION, (await person(database, "kim")).token)
    settings = await browser.get("/settings")
    assert (200, False) == (settings.status_code, 'href="/ops"' in settings.text)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        (f"/ops/jobs/{NOBODYS}", "Page not found"),
        ("/ops/dead-letters/none", "Page not found"),
        ("/ops/schedules/none", "Page not found"),
        ("/ops/dead-letters?before=yesterday", "We could not process this request"),
        ("/ops/schedules/stats:daily?before=1", "We could not process this request"),
    ],
)
async def test_what_does_not_exist_is_said_so(
    desk: httpx.AsyncClient, path: str, title: str
) -> None:
    assert title in words(await desk.get(path))


async def test_a_live_part_is_asked_for_without_the_frame_of_a_notice(
    desk: httpx.AsyncClient, database: Database
) -> None:
    """The notice of an act is for the page that follows it, not for a poll that comes between."""
    await put(database, CriticalTrial("a"))
    await press(desk, await desk.get("/ops/queues"), "/queues/low/pause")
    polled = await desk.get("/ops/queues", headers={"HX-Request": "true"})
    assert "Queue low paused." not in words(polled)
    assert "Queue low paused." in words(await desk.get("/ops/queues"))
