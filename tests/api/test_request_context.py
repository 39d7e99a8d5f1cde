"""The id and log line of every request, and the default headers of its response."""

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


@pytest.mark.parametrize("value", ["a", "trace-1.2_3", "x" * 128])
async def test_valid_request_id_is_returned(api: httpx.AsyncClient, value: str) -> None:
    response = await api.get("/health/live", headers={"X-Request-ID": value})
    assert response.headers["x-request-id"] == value


@pytest.mark.parametrize("value", ["", "x" * 129, "a b", "a\tb", "<script>", "\xfc"])
async def test_invalid_request_id_is_replaced(api: httpx.AsyncClient, value: str) -> None:
    headers = {b"X-Request-ID": value.encode("latin-1")}
    response = await api.get("/health/live", headers=headers)
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


async def test_job_stores_the_id_of_the_request_that_caused_it(
    api: httpx.AsyncClient, database: Database
) -> None:
    await api.post("/api/v1/users", json=new_user(), headers={"X-Request-ID": "cause-1"})
    assert await database.fetchval("select request_id from jobs") == "cause-1"


async def test_request_is_logged_with_its_route_and_never_its_path(
    api: httpx.AsyncClient,
) -> None:
    with capture_logs() as lines:
        await api.post("/api/v1/users/confirm/secret-token", json={"password": "x"})
    (line,) = [line for line in lines if line["event"] == "request.finished"]
    assert line["method"] == "POST"
    assert line["route"] == "/api/v1/users/confirm/{token}"
    assert line["status"] == 410
    assert line["milliseconds"] >= 0
    assert "secret-token" not in str(lines)


async def test_log_of_a_sign_up_contains_no_address_and_no_password(
    api: httpx.AsyncClient,
) -> None:
    with capture_logs() as lines:
        await sign_up(api)
    assert "request.finished" in [line["event"] for line in lines]
    assert "kim" not in str(lines).lower()
    assert "walk" not in str(lines)


@pytest.mark.parametrize("path", ["/health/live", "/nothing", "/api/v1/users/me"])
async def test_responses_have_the_security_headers(api: httpx.AsyncClient, path: str) -> None:
    response = await api.get(path)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert response.headers["permissions-policy"] == "camera=(), geolocation=(), microphone=()"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("environment", "app_url", "sent"),
    [
        ("production", "https://activelog.example", True),
        ("production", "http://127.0.0.1:8000", False),
        ("development", "https://activelog.example", False),
    ],
)
def test_hsts_is_sent_for_an_https_app_url_except_in_development(
    environment: Environment, app_url: str, sent: bool, resources: Resources
) -> None:
    http = replace(resources.settings.http, app_url=app_url)
    headers = default_headers(replace(resources.settings, environment=environment, http=http))
    assert ("Strict-Transport-Security" in headers) is sent
    assert headers.items() >= DEFAULT_HEADERS.items()
