"""Signing up."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app.errors import Conflict
from app.postgres.database import Database
from app.users.accounts import register
from tests.users.people import new_user, sign_up, signed_in


async def jobs(database: Database) -> list[tuple[str, str]]:
    rows = await database.fetch("select kind, unique_key from jobs order by id")
    return [(row["kind"], row["unique_key"]) for row in rows]


async def test_sign_up_returns_the_account_and_enqueues_one_welcome_email(
    api: httpx.AsyncClient, database: Database
) -> None:
    answer = await api.post("/api/v1/users", json=new_user("Kim@Example.com"))
    assert answer.status_code == 201
    account = answer.json()
    assert set(account) == {"id", "email", "name", "created_at"}
    assert (account["email"], account["name"]) == ("Kim@Example.com", "Kim")
    assert await jobs(database) == [("email:welcome", account["id"])]


async def test_password_is_stored_as_an_argon2id_hash(
    api: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(api)
    stored = await database.fetchval("select password_hash from users")
    assert stored.startswith("$argon2id$")


@pytest.mark.parametrize("email", ["kim@example.com", "KIM@example.COM"])
async def test_sign_up_with_a_taken_address_gets_409_and_enqueues_no_email(
    api: httpx.AsyncClient, database: Database, email: str
) -> None:
    account = await sign_up(api)
    answer = await api.post("/api/v1/users", json=new_user(email))
    assert answer.status_code == 409
    assert await jobs(database) == [("email:welcome", account["id"])]


async def test_two_concurrent_sign_ups_with_one_address_create_one_account(
    api: httpx.AsyncClient, database: Database
) -> None:
    answers = await asyncio.gather(*(api.post("/api/v1/users", json=new_user()) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await jobs(database)) == 1


async def test_address_of_a_deleted_account_can_be_registered_again(
    api: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(api)
    await database.execute("update users set deleted_at = now()")
    assert (await api.post("/api/v1/users", json=new_user())).status_code == 201


async def test_rolled_back_registration_leaves_no_account_and_no_job(
    database: Database,
) -> None:
    async def registration_and_power_cut() -> None:
        async with database.transaction() as tx:
            await register(tx, "kim@example.com", "Kim", "hash")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        await registration_and_power_cut()
    assert await jobs(database) == []
    assert await database.fetchval("select count(*) from users") == 0


async def test_register_raises_conflict_for_a_taken_address(database: Database) -> None:
    async with database.transaction() as tx:
        await register(tx, "kim@example.com", "Kim", "hash")
    with pytest.raises(Conflict):
        async with database.transaction() as tx:
            await register(tx, "kim@example.com", "Kim", "hash")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "kim"}, "email"),
        ({"email": "kim@localhost"}, "email"),
        ({"email": "kim@@example.com"}, "email"),
        ({"email": "kim..lee@example.com"}, "email"),
        ({"email": "kim@example.com\n"}, "email"),
        ({"email": "kim@example.com\r\nBcc: sam@example.com"}, "email"),
        ({"email": f"{'k' * 65}@example.com"}, "email"),
        ({"email": f"kim@{'e' * 250}.com"}, "email"),
        ({"email": None}, "email"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "Kim\r\nBcc: sam@example.com"}, "name"),
        ({"name": "Kim\u202e"}, "name"),
        ({"name": "K" * 101}, "name"),
        ({"name": 7}, "name"),
        ({"password": "too short"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"is_admin": True}, "is_admin"),
    ],
)
async def test_invalid_input_is_refused_and_the_error_names_the_field(
    api: httpx.AsyncClient, database: Database, changes: dict[str, Any], field: str
) -> None:
    answer = await api.post("/api/v1/users", json=new_user(**changes))
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await jobs(database) == []


@pytest.mark.parametrize(
    "name", ["Zoë 👩‍👩‍👧", "李小龙", "محمد", "7", "O'Neil-Ávila, Jr.", "<script>", "K" * 60]
)
async def test_any_printable_name_is_accepted(api: httpx.AsyncClient, name: str) -> None:
    answer = await api.post("/api/v1/users", json=new_user(name=name))
    assert (answer.status_code, answer.json()["name"]) == (201, name)


@pytest.mark.parametrize(
    "name",
    [
        "x" * 61, "Win at http://evil.example", "WWW.evil.example", "boss@corp.example",
        "a\uff20corp", "\u202egnp.exe", "a\u2066b", "a\u200bb", "a\u061cb", "a\u3164b",
        "\U000e0041a", "\u3164", "---", "👩‍👩‍👧", "a\nb", "a\u2028b",
    ],
)  # fmt: skip
async def test_name_with_a_link_an_address_or_invisible_characters_is_refused(
    api: httpx.AsyncClient, name: str
) -> None:
    refused = await api.post("/api/v1/users", json=new_user(name=name))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "name")


async def test_name_from_before_these_rules_stays(
    api: httpx.AsyncClient, database: Database
) -> None:
    headers = await signed_in(api)
    await database.execute("update users set name = 'www.kim.example'")
    changed = await api.patch("/api/v1/users/me", json={"preferences": {}}, headers=headers)
    assert (changed.status_code, changed.json()["name"]) == (200, "www.kim.example")
