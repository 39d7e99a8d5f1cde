"""Confirming an address, the pages for visitors who are not signed in, and the stylesheet."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from app.resources import Resources
from app.users.accounts import register
from app.users.email_links import issue_token
from tests.pages.browsing import submit


async def confirmation_token(resources: Resources) -> str:
    async with resources.database.transaction() as tx:
        account = await register(tx, "ada@example.com", "Ada", "no password")
        return await issue_token(tx, account.id, "confirm", timedelta(days=1))


async def is_confirmed(resources: Resources) -> bool:
    return bool(await resources.database.fetchval("select confirmed_at is not null from users"))


async def test_confirmation_link_only_opens_a_page_and_its_button_confirms_the_address(
    resources: Resources, browser: httpx.AsyncClient
) -> None:
    token = await confirmation_token(resources)
    page = await browser.get(f"/confirm/{token}")
    assert page.status_code == 200
    assert not await is_confirmed(resources)
    pressed = await submit(browser, page)
    assert (pressed.status_code, pressed.headers["location"]) == (303, "/confirmed")
    assert await is_confirmed(resources)
    assert "your address is confirmed" in (await browser.get("/confirmed")).text

    again = await submit(browser, page)
    assert again.status_code == 410
    assert "This link has been used or has expired" in again.text


@pytest.mark.parametrize("path", ["/", "/confirm/some-token", "/confirmed"])
async def test_page_for_visitors_has_no_scripts_and_loads_nothing_from_other_sites(
    browser: httpx.AsyncClient, path: str
) -> None:
    response = await browser.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"<script|<style|style=|\son\w+=|https?://", response.text)


async def test_stylesheet_may_be_cached_forever(
    browser: httpx.AsyncClient,
) -> None:
    (path,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', (await browser.get("/")).text)
    response = await browser.get(path)
    assert response.headers["content-type"].startswith("text/css")
    assert "immutable" in response.headers["cache-control"]


async def test_token_in_a_link_is_escaped(browser: httpx.AsyncClient) -> None:
    response = await browser.get('/confirm/"><script>')
    assert response.status_code == 200
    assert 'action="/confirm/%22%3E%3Cscript%3E"' in response.text
    assert "<script>" not in response.text
