"""Who is let in, and which forms are believed."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from app.pages.session import local_path
from app.postgres.database import Database
from app.resources import Resources
from tests.pages.browsing import form, path_of, press, sign_up, words
from tests.users.people import PASSWORD
from tests.users.people import sign_up as sign_up_by_api

UUID = "01980000-0000-7000-8000-000000000000"
OTHERS = ("/api/", "/health/", "/metrics", "/schema")
FOR_EVERYBODY = {
    "/",
    "/confirm/{token}",
    "/confirmed",
    "/dev/emails",
    "/dev/emails/{name}",
    "/dev/emails/{name}/{scheme}",
    "/forgotten",
    "/reset-done",
    "/reset/{token}",
    "/sign-in",
    "/sign-up",
    "/static/{name}",
    "/unsubscribe/{token}",
}
"""The pages that need no session. Whoever adds one says why here."""


def pages(application: Any, method: str) -> list[str]:
    return sorted(
        route.path_format
        for route in application.routes
        if isinstance(route, HTTPRoute)
        and method in route.methods
        and not route.path_format.startswith(OTHERS)
    )


def concrete(path: str) -> str:
    return re.sub(r"\{[^}]+\}", UUID, path)


async def test_a_page_sends_who_is_not_signed_in_there_and_back(
    application: Any, browser: httpx.AsyncClient
) -> None:
    found = set(pages(application, "GET"))
    assert found >= FOR_EVERYBODY
    for path in sorted(found - FOR_EVERYBODY):
        answer = await browser.get(concrete(path), params={"a": "1"})
        assert (path, 303) == (path, answer.status_code)
        back = f"/sign-in?next={concrete(path)}%3Fa%3D1"
        assert back == path_of(answer)


async def test_a_form_without_its_token_does_nothing(
    application: Any, browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    await database.execute("update users set is_admin = true")
    for path in sorted(set(pages(application, "POST")) - {"/unsubscribe/{token}"}):
        for data in ({}, {"csrf": "0" * 64}):
            answer = await browser.post(concrete(path), data=data)
            assert (path, 403) == (path, answer.status_code)
            assert "reload the page" in words(answer)


async def test_a_form_of_another_session_is_not_believed(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    theirs = form(await browser.get("/settings"), "/settings/name")
    browser.cookies.clear()
    await sign_up(browser, "sam@example.com")
    answer = await browser.post("/settings/name", data={**theirs.fields, "name": "Mallory"})
    assert answer.status_code == 403
    assert {"Kim"} == {row["name"] for row in await database.fetch("select name from users")}


async def test_a_form_of_nobody_is_not_believed_without_its_cookie(
    browser: httpx.AsyncClient, database: Database
) -> None:
    asked = await browser.get("/sign-up")
    browser.cookies.clear()
    fields = {"name": "Kim", "email": "kim@example.com", "password": PASSWORD}
    answer = await press(browser, asked, "/sign-up", **fields)
    assert answer.status_code == 403
    assert 0 == await database.fetchval("select count(*) from users")


async def test_who_posts_without_a_session_is_asked_to_sign_in(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/exports", data={"format": "csv"})
    assert (answer.status_code, path_of(answer)) == (303, "/sign-in?next=/")


async def test_a_part_of_a_page_has_it_loaded_anew_when_the_session_has_ended(
    browser: httpx.AsyncClient,
) -> None:
    answer = await browser.get(f"/exports/{UUID}", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-refresh"]) == (204, "true")


async def test_the_cookies_are_for_this_host_over_tls_and_for_no_script(
    browser: httpx.AsyncClient,
) -> None:
    asked = await browser.get("/sign-up")
    answer = await press(
        browser, asked, "/sign-up", name="Kim", email="kim@example.com", password=PASSWORD
    )
    name = await press(browser, await browser.get("/settings"), "/settings/name", name="Kim Lee")
    cookies = [shown.headers["set-cookie"] for shown in (asked, answer, name)]
    assert all(cookie.startswith("__Host-") for cookie in cookies[:2])
    assert cookies[2].startswith("flash=")
    for cookie in cookies:
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


async def test_a_page_and_the_api_know_the_same_session(
    browser: httpx.AsyncClient, api: httpx.AsyncClient
) -> None:
    await sign_up(browser)
    token = browser.cookies["__Host-session"]
    headers = {"Authorization": f"Bearer {token}"}
    assert (await api.get("/api/v1/users/me", headers=headers)).json()["name"] == "Kim"
    await press(browser, await browser.get("/settings"), "/sign-out")
    assert (await api.get("/api/v1/users/me", headers=headers)).status_code == 401
    assert path_of(await browser.get("/settings")) == "/sign-in?next=/settings"


async def test_signing_in_leads_where_one_wanted_to_go_and_ends_the_last_session(
    browser: httpx.AsyncClient, api: httpx.AsyncClient, database: Database
) -> None:
    await sign_up_by_api(api)
    asked = await browser.get("/sign-in?next=/friends%3Fafter%3Dx")
    for _ in range(2):
        answer = await press(browser, asked, "/sign-in", email="KIM@example.com", password=PASSWORD)
        assert (answer.status_code, path_of(answer)) == (303, "/friends?after=x")
    assert 1 == await database.fetchval("select count(*) from sessions")
    for path in ("/sign-in", "/sign-up"):  # who is signed in is not asked again
        assert "/friends" == path_of(await browser.get(path, params={"next": "/friends"}))


async def test_signing_in_to_a_download_goes_there_by_a_page(
    browser: httpx.AsyncClient, api: httpx.AsyncClient
) -> None:
    """A form may lead to no other host, also not by a redirect of a redirect (form-action)."""
    await sign_up_by_api(api)
    goal = f"/exports/{UUID}/download"
    asked = await browser.get(f"/sign-in?next={goal}")
    answer = await press(browser, asked, "/sign-in", email="kim@example.com", password=PASSWORD)
    assert answer.status_code == 200
    assert f'http-equiv="refresh" content="0; url={goal}"' in answer.text


@pytest.mark.parametrize(
    ("email", "password"),
    [("kim@example.com", "a wrong one"), ("nobody@example.com", PASSWORD), ("kim", "no password")],
)
async def test_a_wrong_address_and_a_wrong_password_are_not_told_apart(
    browser: httpx.AsyncClient, api: httpx.AsyncClient, email: str, password: str
) -> None:
    await sign_up_by_api(api)
    asked = await browser.get("/sign-in")
    answer = await press(browser, asked, "/sign-in", email=email, password=password)
    assert answer.status_code == 401
    assert "Wrong email address or password." in words(answer)
    assert form(answer, "/sign-in").fields["email"] == email
    assert password not in answer.text
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
def test_signing_in_leads_to_nowhere_else(elsewhere: str | None) -> None:
    assert "/home" == local_path(elsewhere, "/home")


async def test_an_address_that_is_taken_is_told_with_the_form(
    browser: httpx.AsyncClient, api: httpx.AsyncClient
) -> None:
    await sign_up_by_api(api)
    asked = await browser.get("/sign-up")
    answer = await press(
        browser, asked, "/sign-up", name="Kim", email="kim@example.com", password=PASSWORD
    )
    assert answer.status_code == 409
    assert "There is already an account" in words(answer)
    assert form(answer, "/sign-up").fields["name"] == "Kim"


async def test_all_that_is_wrong_with_a_form_is_told_at_once(browser: httpx.AsyncClient) -> None:
    asked = await browser.get("/sign-up")
    answer = await press(browser, asked, "/sign-up", name="a\0b", email="kim", password="short")
    assert answer.status_code == 400
    said = words(answer)
    assert "cannot be stored" in said
    assert "An email address such as kim@example.com" in said
    assert "10 to 200 characters." in said
    assert 3 == answer.text.count('aria-invalid="true"')


async def test_who_is_no_operator_sees_no_way_to_operations(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    assert 'href="/ops"' not in (await browser.get("/settings")).text
    await database.execute("update users set is_admin = true")
    assert 'href="/ops"' in (await browser.get("/settings")).text


async def test_who_is_lost_at_a_browser_is_told_by_a_page(browser: httpx.AsyncClient) -> None:
    accepts = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    lost = await browser.get("/exprots", headers=accepts)
    assert lost.status_code == 404
    assert "Page not found" in words(lost)
    for path, headers in (("/exprots", {}), ("/api/v1/exprots", accepts)):
        answer = await browser.get(path, headers=headers)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_failure_is_a_page_with_the_policy_of_pages(
    browser: httpx.AsyncClient, resources: Resources
) -> None:
    await sign_up(browser)
    answer = await browser.get(f"/exports/{UUID}")
    assert answer.status_code == 404
    assert "Export not found" in words(answer)
    policy = answer.headers["content-security-policy"]
    assert policy == (await browser.get("/settings")).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
