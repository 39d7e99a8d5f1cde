"""The pages as a browser meets them."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from app.resources import Resources
from app.users.accounts import register
from app.users.email_links import issue_token
from tests.pages.browsing import press


async def confirm_token(resources: Resources) -> str:
    async with resources.database.transaction() as tx:
        account = await register(tx, "ada@example.com", "Ada", "no password")
        return await issue_token(tx, account.id, "confirm", timedelta(days=1))


async def is_confirmed(resources: Resources) -> bool:
    answer = await resources.database.fetchval("select confirmed_at is not null from users")
    return bool(answer)


async def test_opening_the_link_changes_nothing_and_the_button_confirms(
    resources: Resources, browser: httpx.AsyncClient
) -> None:
    token = await confirm_token(resources)
    asked = await browser.get(f"/confirm/{token}")
    assert asked.status_code == 200
    assert not await is_confirmed(resources)
    pressed = await press(browser, asked)
    assert (pressed.status_code, pressed.headers["location"]) == (303, "/confirmed")
    assert await is_confirmed(resources)
    assert "your address is confirmed" in (await browser.get("/confirmed")).text

    again = await press(browser, asked)
    assert again.status_code == 410
    assert "This link has been used or has expired" in again.text


@pytest.mark.parametrize("path", ["/", "/confirm/some-token", "/confirmed"])
async def test_a_page_needs_no_script_and_nothing_from_elsewhere(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"<script|<style|style=|\son\w+=|https?://", answer.text)


async def test_the_stylesheet_is_kept_under_an_address_of_its_own(
    browser: httpx.AsyncClient,
) -> None:
    (path,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', (await browser.get("/")).text)
    answer = await browser.get(path)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]


async def test_what_stands_in_a_link_is_escaped(browser: httpx.AsyncClient) -> None:
    answer = await browser.get('/confirm/"><script>')
    assert answer.status_code == 200
    assert 'action="/confirm/%22%3E%3Cscript%3E"' in answer.text
    assert "<script>" not in answer.text
