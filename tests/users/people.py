"""Helpers that sign users up and in through the API."""

from __future__ import annotations

from typing import Any

import httpx

PASSWORD = "a long walk on the beach"


def new_user(email: str = "kim@example.com", **changes: Any) -> dict[str, Any]:
    return {"email": email, "name": "Kim", "password": PASSWORD, **changes}


async def sign_up(api: httpx.AsyncClient, email: str = "kim@example.com") -> dict[str, Any]:
    """Sign up, and return the account."""
    answer = await api.post("/api/v1/users", json=new_user(email))
    assert answer.status_code == 201, answer.text
    account: dict[str, Any] = answer.json()
    return account


async def sign_in(api: httpx.AsyncClient, email: str = "kim@example.com") -> dict[str, str]:
    """Sign in, and return the headers for requests."""
    answer = await api.post("/api/v1/sessions", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def signed_in(api: httpx.AsyncClient, email: str = "kim@example.com") -> dict[str, str]:
    """Sign up and in, and return the headers for requests."""
    await sign_up(api, email)
    return await sign_in(api, email)
