"""Confirming an address, the pages for visitors who are not signed in, and the stylesheet."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from app.resources import Resources
from app.users.accounts import register
from app.users.email_links import issue_token
from tests.pages.browsing import form, sign_in_as, submit, text_of
from tests.security.world import HASH
from tests.support.people import person
from tests.support.working import RunJobs
from tests.users.people import PASSWORD


async def confirmation_token(resources: Resources) -> str:
    async with resources.database.transaction() as tx:
        account = await register(tx, "ada@example.com", "Ada", HASH)
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
    refused = await submit(browser, page, f"/confirm/{token}", password="a guess")
    assert refused.status_code == 403
    assert "Enter the account's password, or sign in to it." in text_of(refused)
    assert not await is_confirmed(resources)
    pressed = await submit(browser, page, f"/confirm/{token}", password=PASSWORD)
    assert (pressed.status_code, pressed.headers["location"]) == (303, "/confirmed")
    assert await is_confirmed(resources)
    assert "your address is confirmed" in (await browser.get("/confirmed")).text

    again = await submit(browser, page, f"/confirm/{token}", password=PASSWORD)
    assert again.status_code == 410
    assert "This link has been used or has expired" in again.text


@pytest.mark.parametrize("path", ["/", "/confirm/TOKEN", "/confirmed"])
async def test_page_for_visitors_has_no_scripts_and_loads_nothing_from_other_sites(
    resources: Resources, browser: httpx.AsyncClient, path: str
) -> None:
    response = await browser.get(path.replace("TOKEN", await confirmation_token(resources)))
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


async def test_token_in_a_link_is_not_shown_if_it_is_unknown(browser: httpx.AsyncClient) -> None:
    response = await browser.get('/confirm/"><script>')
    assert response.status_code == 410
    assert "script" not in response.text


async def test_signed_in_owner_confirms_without_the_password_and_nobody_else_does(
    resources: Resources, browser: httpx.AsyncClient
) -> None:
    ada = await person(resources.database, "ada", confirmed=False)
    sign_in_as(browser, await person(resources.database, "sam"))
    async with resources.database.transaction() as tx:
        token = await issue_token(tx, ada.id, "confirm", timedelta(days=1))
    page = await browser.get(f"/confirm/{token}")
    assert "password" in form(page, f"/confirm/{token}").fields
    assert (await submit(browser, page, f"/confirm/{token}")).status_code == 403

    sign_in_as(browser, ada)
    page = await browser.get(f"/confirm/{token}")
    assert "password" not in form(page, f"/confirm/{token}").fields
    assert (await submit(browser, page, f"/confirm/{token}")).status_code == 303


async def test_owner_of_the_address_who_did_not_sign_up_erases_the_account(
    resources: Resources, browser: httpx.AsyncClient, run_jobs: RunJobs
) -> None:
    token = await confirmation_token(resources)
    page = await browser.get(f"/confirm/{token}")
    pressed = await submit(browser, page, "/disown")
    assert (pressed.status_code, pressed.headers["location"]) == (303, "/")
    await run_jobs()
    assert await resources.database.fetchval("select count(*) from users") == 0
    assert (await submit(browser, page, "/disown")).status_code == 410


async def test_confirmed_account_cannot_be_erased_with_a_confirmation_link(
    resources: Resources, browser: httpx.AsyncClient
) -> None:
    token = await confirmation_token(resources)
    await resources.database.execute("update users set confirmed_at = now()")
    page = await browser.get(f"/confirm/{token}")
    assert "I did not sign up" not in page.text
    action = f"/confirm/{token}/disown"
    fields = form(page, f"/confirm/{token}").fields
    assert (await browser.post(action, data=fields)).status_code == 410
    assert await resources.database.fetchval("select count(*) from users where deleted_at is null")


async def test_reset_page_offers_to_start_afresh_only_while_the_address_is_unconfirmed(
    resources: Resources, browser: httpx.AsyncClient
) -> None:
    database = resources.database
    ada = await person(database, "ada", confirmed=False)
    async with database.transaction() as tx:
        token = await issue_token(tx, ada.id, "reset", timedelta(hours=1))
    page = await browser.get(f"/reset/{token}")
    assert "Start afresh" in text_of(page)
    await database.execute("update users set confirmed_at = now()")
    assert "Start afresh" not in text_of(await browser.get(f"/reset/{token}"))
    await database.execute("update users set confirmed_at = null")

    done = await submit(browser, page, f"/reset/{token}", password=PASSWORD, start_afresh="true")
    assert (done.status_code, done.headers["location"]) == (303, "/reset-done")
    rows = await database.fetch("select id from users where deleted_at is null")
    assert ada.id not in {row["id"] for row in rows}
    assert len(rows) == 1


async def test_reset_page_of_an_account_confirmed_meanwhile_does_not_start_afresh(
    resources: Resources, browser: httpx.AsyncClient
) -> None:
    database = resources.database
    ada = await person(database, "ada", confirmed=False)
    async with database.transaction() as tx:
        token = await issue_token(tx, ada.id, "reset", timedelta(hours=1))
    page = await browser.get(f"/reset/{token}")
    await database.execute("update users set confirmed_at = now()")
    refused = await submit(browser, page, f"/reset/{token}", password=PASSWORD, start_afresh="true")
    assert refused.status_code == 409
    assert "cannot start afresh" in text_of(refused)
