"""What is around every request: its id, its log line, its answer's headers."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest
from structlog.testing import capture_logs

from app.api.middleware import DEFAULT_HEADERS, default_headers
from app.postgres.database import Database
from app.resources import Resources
from app.settings import Environment
from tests.users.people import new_user, sign_up


@pytest.mark.parametrize("given", ["a", "trace-1.2_3", "x" * 128])
async def test_a_request_id_is_kept(api: httpx.AsyncClient, given: str) -> None:
    answer = await api.get("/health/live", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "<script>", "\xfc"])
async def test_a_request_id_that_is_not_fit_is_replaced(api: httpx.AsyncClient, given: str) -> None:
    headers = {b"X-Request-ID": given.encode("latin-1")}
    answer = await api.get("/health/live", headers=headers)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_a_job_remembers_the_request_that_caused_it(
    api: httpx.AsyncClient, database: Database
) -> None:
    await api.post("/api/v1/users", json=new_user(), headers={"X-Request-ID": "cause-1"})
    assert await database.fetchval("select request_id from jobs") == "cause-1"


async def test_one_line_tells_of_a_request_by_its_route_and_never_its_path(
    api: httpx.AsyncClient,
) -> None:
    with capture_logs() as lines:
        await api.post("/api/v1/users/confirm/secret-token")
    (line,) = [line for line in lines if line["event"] == "request.finished"]
    assert line["method"] == "POST"
    assert line["route"] == "/api/v1/users/confirm/{token}"
    assert line["status"] == 410
    assert line["milliseconds"] >= 0
    assert "secret-token" not in str(lines)


async def test_lines_about_signing_up_hold_no_address_and_no_password(
    api: httpx.AsyncClient,
) -> None:
    with capture_logs() as lines:
        await sign_up(api)
    assert "request.finished" in [line["event"] for line in lines]
    assert "kim" not in str(lines).lower()
    assert "walk" not in str(lines)


@pytest.mark.parametrize("path", ["/health/live", "/nothing", "/api/v1/users/me"])
async def test_every_answer_has_the_headers_of_safety(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("environment", "app_url", "told"),
    [
        ("production", "https://activelog.example", True),
        ("production", "http://127.0.0.1:8000", False),
        ("development", "https://activelog.example", False),
    ],
)
def test_browsers_are_told_to_come_by_https_alone_where_they_can(
    environment: Environment, app_url: str, told: bool, resources: Resources
) -> None:
    http = replace(resources.settings.http, app_url=app_url)
    headers = default_headers(replace(resources.settings, environment=environment, http=http))
    assert ("Strict-Transport-Security" in headers) is told
    assert headers.items() >= DEFAULT_HEADERS.items()
