"""Links in emails: unsubscribing and resetting the password."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.email.subscriptions import SUBSCRIPTIONS, Subscription, unsubscribe_token
from app.postgres.database import Database
from app.resources import Resources
from app.users.email_links import issue_token
from app.users.user import UserId
from tests.pages.browsing import submit
from tests.users.people import PASSWORD, sign_in, sign_up

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
NEW_PASSWORD = "a longer walk on the beach"


async def subscriptions(database: Database) -> set[str]:
    """Return the subscriptions that the only user has not turned off."""
    off = await database.fetch("select name from subscriptions where frequency = 'off'")
    return {name for name in SUBSCRIPTIONS if name not in {row["name"] for row in off}}


async def unsubscribe_path(
    api: httpx.AsyncClient, resources: Resources, subscription: Subscription = "weekly_summary"
) -> str:
    account = await sign_up(api)
    secret = resources.settings.secret_key
    user_id = UserId(await resources.database.fetchval("select id from users"))
    assert str(user_id) == account["id"]
    return f"/unsubscribe/{unsubscribe_token(secret, user_id, subscription)}"


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS)
async def test_unsubscribe_link_only_opens_a_page_and_its_button_unsubscribes(
    api: httpx.AsyncClient, resources: Resources, subscription: Subscription
) -> None:
    path = await unsubscribe_path(api, resources, subscription)
    page = await api.get(path)
    assert page.status_code == 200
    assert set(SUBSCRIPTIONS) == await subscriptions(resources.database)
    (action,) = re.findall(r'<form method="post" action="([^"]+)"', page.text)
    assert path == action
    for _ in range(2):
        response = await api.post(action)
        assert response.status_code == 200
        assert "You are unsubscribed" in response.text
    assert set(SUBSCRIPTIONS) - {subscription} == await subscriptions(resources.database)


@pytest.mark.parametrize(
    "body", [{"data": ONE_CLICK}, {"files": {"List-Unsubscribe": (None, "One-Click")}}]
)
async def test_mail_client_unsubscribes_with_one_request(
    api: httpx.AsyncClient, resources: Resources, body: dict[str, Any]
) -> None:
    """RFC 8058: no cookie, form token or redirect, with either encoding of the body."""
    response = await api.post(await unsubscribe_path(api, resources), **body)
    assert (response.status_code, response.history) == (200, [])
    assert "weekly_summary" not in await subscriptions(resources.database)


async def test_forged_unsubscribe_token_is_404(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    path = await unsubscribe_path(api, resources)
    forged = path[:-1] + ("x" if path[-1] == "y" else "y")
    for wrong in (forged, "/unsubscribe/weekly_summary", "/unsubscribe/a.b.c"):
        assert (await api.get(wrong)).status_code == 404
        assert (await api.post(wrong, data=ONE_CLICK)).status_code == 404
    assert set(SUBSCRIPTIONS) == await subscriptions(resources.database)


async def test_unsubscribe_link_works_after_the_account_is_deleted(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    path = await unsubscribe_path(api, resources)
    await resources.database.execute("delete from users")
    assert (await api.post(path, data=ONE_CLICK)).status_code == 200


async def reset_link(api: httpx.AsyncClient, database: Database) -> str:
    await sign_up(api)
    user_id = UserId(await database.fetchval("select id from users"))
    async with database.transaction() as tx:
        return f"/reset/{await issue_token(tx, user_id, 'reset', timedelta(hours=1))}"


async def test_reset_link_sets_a_new_password_once(
    api: httpx.AsyncClient, browser: httpx.AsyncClient, database: Database
) -> None:
    link = await reset_link(api, database)
    session = await sign_in(api)
    form = await browser.get(link)
    assert form.status_code == 200

    rejected = await submit(browser, form, link, password="rejected")
    assert rejected.status_code == 400
    assert "10 to 128 characters" in rejected.text
    assert (await submit(browser, form, link)).status_code == 400

    response = await submit(browser, rejected, link, password=NEW_PASSWORD)
    assert (response.status_code, response.headers["location"]) == (303, "/reset-done")
    assert "Password changed" in (await browser.get("/reset-done")).text
    assert (await api.get("/api/v1/users/me", headers=session)).status_code == 401
    for password, status in ((NEW_PASSWORD, 201), (PASSWORD, 401)):
        credentials = {"email": "kim@example.com", "password": password}
        assert (await api.post("/api/v1/sessions", json=credentials)).status_code == status

    for response in (
        await browser.get(link),
        await submit(browser, form, link, password=NEW_PASSWORD),
    ):
        assert response.status_code == 410
        assert "This link has been used or has expired" in response.text
