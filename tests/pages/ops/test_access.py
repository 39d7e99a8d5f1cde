"""Access to the operators' pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.pages.ops import router
from app.postgres.database import Database
from tests.pages.browsing import submit, text_of
from tests.pages.ops.conftest import SESSION
from tests.support.people import person
from tests.support.sample_jobs import CriticalSampleJob, enqueue_job

UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"
PATH_VALUES = {
    "name:str": "low",
    "job_id:uuid": UNKNOWN_ID,
    "fingerprint:str": "0123456789abcdef",
}


def routes() -> list[Any]:
    """Return the method and path of every route, with values for its parameters."""
    requests = []
    for route in router.routes:
        path = route.path
        for name, value in PATH_VALUES.items():
            path = path.replace(f"{{{name}}}", value)
        requests += [(method, path) for method in sorted(route.methods - {"OPTIONS", "HEAD"})]
    return requests


@pytest.mark.parametrize(("method", "path"), routes())
async def test_only_operators_may_open_pages_or_submit_forms(
    browser: httpx.AsyncClient, database: Database, method: str, path: str
) -> None:
    anonymous = await browser.request(method, path)
    assert anonymous.status_code == 303
    assert anonymous.headers["location"].startswith("/sign-in")

    browser.cookies.set(SESSION, (await person(database, "kim")).token)
    refused = await browser.request(method, path)
    assert 403 == refused.status_code


@pytest.mark.parametrize("path", [path for method, path in routes() if method == "POST"])
async def test_form_with_a_made_up_token_is_rejected(
    ops_browser: httpx.AsyncClient, path: str
) -> None:
    refused = await ops_browser.post(path, data={"csrf": "made up"})
    assert 403 == refused.status_code
    assert "This form has expired or did not come from ActiveLog" in text_of(refused)


async def test_only_operators_see_the_link_to_operations(
    browser: httpx.AsyncClient, database: Database, ops_browser: httpx.AsyncClient
) -> None:
    assert 'href="/ops"' in (await ops_browser.get("/ops")).text
    browser.cookies.set(SESSION, (await person(database, "kim")).token)
    settings = await browser.get("/settings")
    assert (200, False) == (settings.status_code, 'href="/ops"' in settings.text)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        (f"/ops/jobs/{UNKNOWN_ID}", "Page not found"),
        ("/ops/dead-letters/none", "Page not found"),
        ("/ops/schedules/none", "Page not found"),
        ("/ops/dead-letters?before=yesterday", "We could not process this request"),
        ("/ops/schedules/stats:daily?before=1", "We could not process this request"),
    ],
)
async def test_wrong_url_shows_an_error_page(
    ops_browser: httpx.AsyncClient, path: str, title: str
) -> None:
    assert title in text_of(await ops_browser.get(path))


async def test_poll_leaves_the_flash_message_for_the_next_page(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    await enqueue_job(database, CriticalSampleJob("a"))
    await submit(ops_browser, await ops_browser.get("/ops/queues"), "/queues/low/pause")
    polled = await ops_browser.get("/ops/queues", headers={"HX-Request": "true"})
    assert "Queue low paused." not in text_of(polled)
    assert "Queue low paused." in text_of(await ops_browser.get("/ops/queues"))
