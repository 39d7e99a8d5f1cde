"""`Idempotency-Key`: a POST that creates can be sent again and creates once."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from app.api import statements
from app.api.idempotency import ANONYMOUS_ID
from app.postgres.database import Database
from tests.support.people import person
from tests.users.people import PASSWORD, new_user

pytestmark = pytest.mark.usefixtures("in_november")

USERS = "/api/v1/users"
ACTIVITIES = "/api/v1/activities"
KEY = {"Idempotency-Key": "5f1c"}
RUN = {"type": "run", "started_at": "2026-11-21T07:30:00Z", "duration_s": 2700}


async def test_a_repetition_gets_the_first_answer_and_creates_nothing(
    api: httpx.AsyncClient, database: Database
) -> None:
    first = await api.post(USERS, json=new_user(), headers=KEY)
    again = await api.post(USERS, json=new_user(), headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert await database.fetchval("select count(*) from users") == 1
    assert await database.fetchval("select count(*) from jobs") == 1


async def test_another_body_under_a_used_key_is_422(api: httpx.AsyncClient) -> None:
    await api.post(USERS, json=new_user(), headers=KEY)
    answer = await api.post(USERS, json=new_user(password=PASSWORD + "!"), headers=KEY)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_failure_is_not_kept(api: httpx.AsyncClient, database: Database) -> None:
    await api.post(USERS, json=new_user())
    assert (await api.post(USERS, json=new_user(), headers=KEY)).status_code == 409
    await database.execute("delete from users")
    assert (await api.post(USERS, json=new_user(), headers=KEY)).status_code == 201


async def test_a_key_belongs_to_one_person(api: httpx.AsyncClient, database: Database) -> None:
    kim = (await person(database, "kim")).headers
    sam = (await person(database, "sam")).headers
    first = await api.post(ACTIVITIES, json=RUN, headers=kim | KEY)
    other = await api.post(ACTIVITIES, json=RUN, headers=sam | KEY)
    again = await api.post(ACTIVITIES, json=RUN, headers=kim | KEY)
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["id"] != other.json()["id"]
    assert again.json() == first.json()


async def test_a_key_belongs_to_one_route(api: httpx.AsyncClient, database: Database) -> None:
    kim = (await person(database, "kim")).headers
    await api.post(ACTIVITIES, json=RUN, headers=kim | KEY)
    request = {"email": "sam@example.com"}
    answer = await api.post("/api/v1/friends/requests", json=request, headers=kim | KEY)
    assert answer.status_code == 201


async def test_a_key_is_free_again_after_a_day(api: httpx.AsyncClient, database: Database) -> None:
    kim = (await person(database, "kim")).headers
    first = await api.post(ACTIVITIES, json=RUN, headers=kim | KEY)
    await database.execute(
        "update idempotency_keys set created_at = created_at - interval '24 hours'"
    )
    later = await api.post(ACTIVITIES, json={**RUN, "duration_s": 60}, headers=kim | KEY)
    assert later.status_code == 201
    assert later.json()["id"] != first.json()["id"]


async def test_while_the_first_is_at_work_a_repetition_is_409(
    api: httpx.AsyncClient, database: Database
) -> None:
    async with database.transaction() as tx:
        assert await statements.lock_key(
            tx, user_id=ANONYMOUS_ID, route=f"POST {USERS}", key=KEY["Idempotency-Key"]
        )
        answer = await api.post(USERS, json=new_user(), headers=KEY)
    assert answer.status_code == 409
    assert (await api.post(USERS, json=new_user(), headers=KEY)).status_code == 201


async def test_of_many_at_once_one_creates_and_none_fails_otherwise(
    api: httpx.AsyncClient, database: Database
) -> None:
    kim = (await person(database, "kim")).headers
    answers = await asyncio.gather(
        *(api.post(ACTIVITIES, json=RUN, headers=kim | KEY) for _ in range(8))
    )
    assert await database.fetchval("select count(*) from activities") == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1


async def test_neither_body_nor_password_is_stored(
    api: httpx.AsyncClient, database: Database
) -> None:
    await api.post(USERS, json=new_user(), headers=KEY)
    stored = await database.fetchval("select idempotency_keys::text from idempotency_keys")
    assert PASSWORD not in stored
    assert PASSWORD.encode().hex() not in stored


@pytest.mark.parametrize("key", ["", "k" * 256, "\xfc"])
async def test_a_bad_key_is_400(api: httpx.AsyncClient, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    answer = await api.post(USERS, json=new_user(), headers=headers)
    assert answer.status_code == 400
    assert [wrong["field"] for wrong in answer.json()["errors"]] == ["Idempotency-Key"]


async def test_a_key_of_255_characters_is_good(api: httpx.AsyncClient) -> None:
    answer = await api.post(USERS, json=new_user(), headers={"Idempotency-Key": "k" * 255})
    assert answer.status_code == 201
