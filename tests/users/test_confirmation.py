"""Confirming an address."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import httpx

from app.transaction import Database
from app.users.confirmation import LIFETIME
from app.users.tokens import Purpose, issue_token
from app.users.user import UserId
from tests.users.people import sign_in, sign_up


async def token_for(
    database: Database,
    api: httpx.AsyncClient,
    purpose: Purpose = "confirm",
    lifetime: timedelta = LIFETIME,
) -> str:
    await sign_up(api)
    user_id = UserId(await database.fetchval("select id from users"))
    async with database.transaction() as tx:
        return await issue_token(tx, user_id, purpose, lifetime)


async def test_a_token_confirms_once_without_signing_in(
    api: httpx.AsyncClient, database: Database
) -> None:
    token = await token_for(database, api)
    assert (await api.post(f"/api/v1/users/confirm/{token}")).status_code == 204
    me = await api.get("/api/v1/users/me", headers=await sign_in(api))
    assert me.json()["confirmed_at"] is not None
    assert (await api.post(f"/api/v1/users/confirm/{token}")).status_code == 410


async def test_an_expired_a_foreign_and_an_unknown_token_are_gone(
    api: httpx.AsyncClient, database: Database
) -> None:
    expired = await token_for(database, api, lifetime=timedelta(seconds=-1))
    await database.execute("update users set email = 'sam@example.com'")
    other_purpose = await token_for(database, api, purpose="reset")
    for token in (expired, other_purpose, "unknown", "ü"):
        assert (await api.post(f"/api/v1/users/confirm/{token}")).status_code == 410
    assert await database.fetchval("select count(confirmed_at) from users") == 0


async def test_only_the_hash_of_a_token_is_stored(
    api: httpx.AsyncClient, database: Database
) -> None:
    token = await token_for(database, api)
    stored = await database.fetchval("select token_hash from account_tokens")
    assert stored == sha256(token.encode()).digest()
