"""Users see and change their own profile."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.email.subscriptions import SUBSCRIPTIONS
from tests.users.people import sign_in, sign_up, signed_in

ME = "/api/v1/users/me"
ALL = dict.fromkeys(SUBSCRIPTIONS, True)


async def test_new_user_has_all_subscriptions_and_an_unconfirmed_address(
    api: httpx.AsyncClient,
) -> None:
    account = await sign_up(api)
    answer = await api.get(ME, headers=await sign_in(api))
    assert answer.json() == {
        **account,
        "is_admin": False,
        "preferences": ALL,
        "confirmed_at": None,
        "erase_at": None,
    }


@pytest.mark.parametrize(
    ("change", "name", "preferences"),
    [
        ({}, "Kim", ALL),
        ({"name": "Kim Lee"}, "Kim Lee", ALL),
        ({"preferences": {}}, "Kim", ALL),
        ({"preferences": {"weekly_summary": False}}, "Kim", {**ALL, "weekly_summary": False}),
        (
            {"name": "K", "preferences": dict.fromkeys(ALL, False)},
            "K",
            dict.fromkeys(ALL, False),
        ),
    ],
)
async def test_update_changes_only_the_given_fields(
    api: httpx.AsyncClient, change: dict[str, Any], name: str, preferences: dict[str, bool]
) -> None:
    headers = await signed_in(api)
    changed = await api.patch(ME, headers=headers, json=change)
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["preferences"]) == (name, preferences)
    assert (await api.get(ME, headers=headers)).json() == changed.json()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"email": "sam@example.com"}, "email"),
        ({"is_admin": True}, "is_admin"),
        ({"preferences": {"weekly_summary": "yes"}}, "preferences.weekly_summary"),
        ({"preferences": {"spam": True}}, "preferences"),
    ],
)
async def test_invalid_update_is_refused_and_the_error_names_the_field(
    api: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    answer = await api.patch(ME, headers=await signed_in(api), json=change)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
