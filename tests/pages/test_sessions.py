"""Sessions, redirects to the sign-in form, form tokens and error pages."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from app.pages.session import local_path
from app.postgres.database import Database
from app.resources import Resources
from tests.pages.browsing import form, redirect_path, sign_up, submit, text_of
from tests.users.people import PASSWORD
from tests.users.people import sign_up as sign_up_by_api

UUID = "01980000-0000-7000-8000-000000000000"
OTHER_PATHS = ("/api/", "/health/", "/schema")
ANONYMOUS = {
    "/",
    "/.well-known/change-password",
    "/.well-known/security.txt",
    "/confirm/{token}",
    "/confirmed",
    "/dev/emails",
    "/dev/emails/{name}",
    "/dev/emails/{name}/{scheme}",
    "/forgotten",
    "/problems/{name}",
    "/reset-done",
    "/reset/{token}",
    "/sign-in",
    "/sign-up",
    "/static/{name}",
    "/unsubscribe/{token}",
}
"""The pages that require no session. Before you add one, make sure that it must be public."""


def page_paths(application: Any, method: str) -> list[str]:
    return sorted(
        route.path_format
        for route in application.routes
        if isinstance(route, HTTPRoute)
        and method in route.methods
        and not route.path_format.startswith(OTHER_PATHS)
    )


def with_ids(path: str) -> str:
    return re.sub(r"\{[^}]+\}", UUID, path)


async def test_page_request_without_a_session_redirects_to_sign_in_with_its_url_as_next(
    application: Any, browser: httpx.AsyncClient
) -> None:
    found = set(page_paths(application, "GET"))
    assert found >= ANONYMOUS
    for path in sorted(found - ANONYMOUS):
        response = await browser.get(with_ids(path), params={"a": "1"})
        assert (path, 303) == (path, response.status_code)
        sign_in = f"/sign-in?next={with_ids(path)}%3Fa%3D1"
        assert sign_in == redirect_path(response)


async def test_form_without_a_valid_token_is_rejected(
    application: Any, browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    await database.execute("update users set is_admin = true")
    for path in sorted(set(page_paths(application, "POST")) - {"/unsubscribe/{token}"}):
        for data in ({}, {"csrf": "0" * 64}):
            response = await browser.post(with_ids(path), data=data)
            assert (path, 403) == (path, response.status_code)
            assert "reload the page" in text_of(response)


async def test_form_from_another_session_is_rejected(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    their_form = form(await browser.get("/settings"), "/settings/name")
    browser.cookies.clear()
    await sign_up(browser, "sam@example.com")
    response = await browser.post("/settings/name", data={**their_form.fields, "name": "Mallory"})
    assert response.status_code == 403
    assert {"Kim"} == {row["name"] for row in await database.fetch("select name from users")}


async def test_form_that_another_site_submits_is_rejected_even_with_a_valid_token(
    browser: httpx.AsyncClient,
) -> None:
    await sign_up(browser)
    fields = form(await browser.get("/settings"), "/settings/name").fields
    for site, status in (("cross-site", 403), ("same-origin", 303)):
        headers = {"Sec-Fetch-Site": site}
        response = await browser.post("/settings/name", data=fields, headers=headers)
        assert response.status_code == status


async def test_sign_up_form_is_rejected_without_the_visitor_cookie(
    browser: httpx.AsyncClient, database: Database
) -> None:
    page = await browser.get("/sign-up")
    browser.cookies.clear()
    fields = {"name": "Kim", "email": "kim@example.com", "password": PASSWORD}
    response = await submit(browser, page, "/sign-up", **fields)
    assert response.status_code == 403
    assert 0 == await database.fetchval("select count(*) from users")


async def test_post_without_a_session_redirects_to_sign_in(browser: httpx.AsyncClient) -> None:
    response = await browser.post("/exports", data={"format": "csv"})
    assert (response.status_code, redirect_path(response)) == (303, "/sign-in?next=/")


async def test_fragment_request_without_a_session_reloads_the_page(
    browser: httpx.AsyncClient,
) -> None:
    response = await browser.get(f"/exports/{UUID}", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["hx-refresh"]) == (204, "true")


async def test_cookies_are_host_only_secure_and_http_only(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("/sign-up")
    response = await submit(
        browser, page, "/sign-up", name="Kim", email="kim@example.com", password=PASSWORD
    )
    name = await submit(browser, await browser.get("/settings"), "/settings/name", name="Kim Lee")
    cookies = [page.headers["set-cookie"] for page in (page, response, name)]
    assert all(cookie.startswith("__Host-") for cookie in cookies[:2])
    assert cookies[2].startswith("flash=")
    for cookie in cookies:
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


async def test_pages_and_api_share_sessions(
    browser: httpx.AsyncClient, api: httpx.AsyncClient
) -> None:
    await sign_up(browser)
    token = browser.cookies["__Host-session"]
    headers = {"Authorization": f"Bearer {token}"}
    assert (await api.get("/api/v1/users/me", headers=headers)).json()["name"] == "Kim"
    await submit(browser, await browser.get("/settings"), "/sign-out")
    assert (await api.get("/api/v1/users/me", headers=headers)).status_code == 401
    assert redirect_path(await browser.get("/settings")) == "/sign-in?next=/settings"


async def test_signing_in_redirects_to_next_and_ends_the_previous_session(
    browser: httpx.AsyncClient, api: httpx.AsyncClient, database: Database
) -> None:
    await sign_up_by_api(api)
    page = await browser.get("/sign-in?next=/friends%3Fafter%3Dx")
    for _ in range(2):
        response = await submit(
            browser, page, "/sign-in", email="KIM@example.com", password=PASSWORD
        )
        assert (response.status_code, redirect_path(response)) == (303, "/friends?after=x")
    assert 1 == await database.fetchval("select count(*) from sessions")
    for path in ("/sign-in", "/sign-up"):  # already signed in
        assert "/friends" == redirect_path(await browser.get(path, params={"next": "/friends"}))


async def test_signing_in_with_a_download_as_next_shows_a_page_that_redirects_to_it(
    browser: httpx.AsyncClient, api: httpx.AsyncClient
) -> None:
    """A download redirects to S3, and `form-action` forbids that directly after a POST."""
    await sign_up_by_api(api)
    goal = f"/exports/{UUID}/download"
    page = await browser.get(f"/sign-in?next={goal}")
    response = await submit(browser, page, "/sign-in", email="kim@example.com", password=PASSWORD)
    assert response.status_code == 200
    assert f'http-equiv="refresh" content="0; url={goal}"' in response.text


@pytest.mark.parametrize(
    ("email", "password"),
    [("kim@example.com", "a wrong one"), ("nobody@example.com", PASSWORD), ("kim", "no password")],
)
async def test_wrong_address_and_wrong_password_get_the_same_error(
    browser: httpx.AsyncClient, api: httpx.AsyncClient, email: str, password: str
) -> None:
    await sign_up_by_api(api)
    page = await browser.get("/sign-in")
    response = await submit(browser, page, "/sign-in", email=email, password=password)
    assert response.status_code == 401
    assert "Wrong email address or password." in text_of(response)
    assert form(response, "/sign-in").fields["email"] == email
    assert password not in response.text
    assert "__Host-session" not in browser.cookies


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "exports",
        "/x\\..\\y",
        "",
        None,
    ],
)
def test_signing_in_never_redirects_to_another_site(elsewhere: str | None) -> None:
    assert "/home" == local_path(elsewhere, "/home")


async def test_sign_up_with_a_taken_address_shows_the_error_in_the_form(
    browser: httpx.AsyncClient, api: httpx.AsyncClient
) -> None:
    await sign_up_by_api(api)
    page = await browser.get("/sign-up")
    response = await submit(
        browser, page, "/sign-up", name="Kim", email="kim@example.com", password=PASSWORD
    )
    assert response.status_code == 409
    assert "There is already an account" in text_of(response)
    assert form(response, "/sign-up").fields["name"] == "Kim"


async def test_all_errors_in_a_form_are_shown_at_once(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/sign-up")
    response = await submit(browser, page, "/sign-up", name="a\0b", email="kim", password="short")
    assert response.status_code == 400
    text = text_of(response)
    assert "cannot be stored" in text
    assert "An email address such as kim@example.com" in text
    assert "10 to 128 characters, and not easy to guess." in text
    assert 3 == response.text.count('aria-invalid="true"')


async def test_link_to_operations_is_shown_only_to_operators(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    assert 'href="/ops"' not in (await browser.get("/settings")).text
    await database.execute("update users set is_admin = true")
    assert 'href="/ops"' in (await browser.get("/settings")).text


async def test_404_is_a_page_only_for_browsers_and_only_outside_the_api(
    browser: httpx.AsyncClient,
) -> None:
    accepts = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    unknown = await browser.get("/exprots", headers=accepts)
    assert unknown.status_code == 404
    assert "Page not found" in text_of(unknown)
    for path, headers in (("/exprots", {}), ("/api/v1/exprots", accepts)):
        response = await browser.get(path, headers=headers)
        assert response.headers["content-type"] == "application/problem+json"


async def test_error_page_has_the_content_security_policy(
    browser: httpx.AsyncClient, resources: Resources
) -> None:
    await sign_up(browser)
    response = await browser.get(f"/exports/{UUID}")
    assert response.status_code == 404
    assert "Export not found" in text_of(response)
    policy = response.headers["content-security-policy"]
    assert policy == (await browser.get("/settings")).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
