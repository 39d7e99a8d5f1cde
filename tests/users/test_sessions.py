"""Signing in and out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal

import httpx
import pytest
from argon2 import PasswordHasher

from app.errors import Unauthenticated
from app.postgres.database import Database
from app.resources import Resources
from app.users.login_limits import SignInAttempt
from app.users.passwords import Passwords
from app.users.sessions import check_sign_in, open_session
from tests.users.people import PASSWORD, sign_in, sign_up, signed_in

ME = "/api/v1/users/me"


async def test_session_gives_access_until_it_is_closed(api: httpx.AsyncClient) -> None:
    headers = await signed_in(api)
    assert (await api.get(ME, headers=headers)).status_code == 200
    assert (await api.delete("/api/v1/sessions/current", headers=headers)).status_code == 204
    assert (await api.get(ME, headers=headers)).status_code == 401


async def test_closing_a_session_leaves_the_others_open(api: httpx.AsyncClient) -> None:
    phone = await signed_in(api)
    laptop = await sign_in(api)
    await api.delete("/api/v1/sessions/current", headers=phone)
    assert (await api.get(ME, headers=laptop)).status_code == 200


async def test_session_lasts_thirty_days(api: httpx.AsyncClient) -> None:
    await sign_up(api)
    credentials = {"email": "KIM@example.com", "password": PASSWORD}
    answer = await api.post("/api/v1/sessions", json=credentials)
    assert set(answer.json()) == {"token", "expires_at"}
    left = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)


async def test_only_the_hash_of_a_token_is_stored(
    api: httpx.AsyncClient, database: Database
) -> None:
    headers = await signed_in(api)
    token = headers["Authorization"].removeprefix("Bearer ")
    stored = await database.fetchval("select token_hash from sessions")
    assert stored == sha256(token.encode()).digest()


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("kim@example.com", "a long walk in the park"),
        ("sam@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("kim@example.com", ""),
    ],
)
async def test_wrong_address_and_wrong_password_get_the_same_response(
    api: httpx.AsyncClient, email: str, password: str
) -> None:
    await sign_up(api)
    answer = await api.post("/api/v1/sessions", json={"email": email, "password": password})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"] == "Wrong email address or password."


async def test_password_is_hashed_once_even_for_an_unknown_address() -> None:
    checked: list[str] = []

    class CountingHasher(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 # the name in argon2
            checked.append(str(hash))
            return super().verify(hash, password)

    passwords = Passwords(CountingHasher(time_cost=1, memory_cost=8, parallelism=1))
    assert not await passwords.verify(PASSWORD, None)
    assert not await passwords.verify("", None)
    assert [entry.split("$")[3] for entry in checked] == ["m=8,t=1,p=1", "m=8,t=1,p=1"]


async def test_expired_session_gives_no_access(api: httpx.AsyncClient, database: Database) -> None:
    headers = await signed_in(api)
    await database.execute("update sessions set expires_at = now()")
    assert (await api.get(ME, headers=headers)).status_code == 401


async def test_deleted_account_is_signed_out_and_cannot_sign_in(
    api: httpx.AsyncClient, database: Database
) -> None:
    headers = await signed_in(api)
    await database.execute("update users set deleted_at = now()")
    assert (await api.get(ME, headers=headers)).status_code == 401
    credentials = {"email": "kim@example.com", "password": PASSWORD}
    assert (await api.post("/api/v1/sessions", json=credentials)).status_code == 401


async def test_hash_with_old_parameters_is_renewed_at_the_next_sign_in(
    api: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(api)
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    await database.execute("update users set password_hash = $1", old)
    await sign_in(api)
    renewed = await database.fetchval("select password_hash from users")
    assert Passwords().needs_rehash(renewed) is False
    await sign_in(api)


async def test_no_session_is_opened_if_the_password_changes_after_the_check(
    api: httpx.AsyncClient, resources: Resources, database: Database
) -> None:
    await sign_up(api)
    attempt = SignInAttempt("kim@example.com", PASSWORD, client=None, device=None)
    checked = await check_sign_in(database, Passwords(), resources.limiter, attempt)
    await database.execute("update users set password_hash = 'another'")
    with pytest.raises(Unauthenticated):
        async with database.transaction() as tx:
            await open_session(tx, checked, timedelta(days=1))
