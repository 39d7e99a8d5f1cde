"""`Idempotency-Key`: a repeated POST creates nothing new."""

from __future__ import annotations

import asyncio
from typing import Any

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


async def test_repeated_post_gets_the_first_response_and_creates_nothing(
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


async def test_used_key_with_a_different_body_is_422(api: httpx.AsyncClient) -> None:
    await api.post(USERS, json=new_user(), headers=KEY)
    response = await api.post(USERS, json=new_user(password=PASSWORD + "!"), headers=KEY)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_failures_are_not_stored(api: httpx.AsyncClient, database: Database) -> None:
    await api.post(USERS, json=new_user())
    assert (await api.post(USERS, json=new_user(), headers=KEY)).status_code == 409
    await database.execute("delete from users")
    assert (await api.post(USERS, json=new_user(), headers=KEY)).status_code == 201


async def test_keys_are_per_user(api: httpx.AsyncClient, database: Database) -> None:
    kim = (await person(database, "kim")).headers
    sam = (await person(database, "sam")).headers
    first = await api.post(ACTIVITIES, json=RUN, headers=kim | KEY)
    other = await api.post(ACTIVITIES, json=RUN, headers=sam | KEY)
    again = await api.post(ACTIVITIES, json=RUN, headers=kim | KEY)
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["id"] != other.json()["id"]
    assert again.json() == first.json()


async def test_keys_are_per_route(api: httpx.AsyncClient, database: Database) -> None:
    kim = (await person(database, "kim")).headers
    await api.post(ACTIVITIES, json=RUN, headers=kim | KEY)
    request = {"email": "sam@example.com"}
    response = await api.post("/api/v1/friends/requests", json=request, headers=kim | KEY)
    assert response.status_code == 201


async def test_key_can_be_reused_after_a_day(api: httpx.AsyncClient, database: Database) -> None:
    kim = (await person(database, "kim")).headers
    first = await api.post(ACTIVITIES, json=RUN, headers=kim | KEY)
    await database.execute(
        "update idempotency_keys set created_at = created_at - interval '24 hours'"
    )
    later = await api.post(ACTIVITIES, json={**RUN, "duration_s": 60}, headers=kim | KEY)
    assert later.status_code == 201
    assert later.json()["id"] != first.json()["id"]


async def test_repeated_post_is_409_while_the_first_is_in_progress(
    api: httpx.AsyncClient, database: Database
) -> None:
    async with database.transaction() as tx:
        assert await statements.lock_key(
            tx, user_id=ANONYMOUS_ID, route=f"POST {USERS}", key=KEY["Idempotency-Key"]
        )
        response = await api.post(USERS, json=new_user(), headers=KEY)
    assert response.status_code == 409
    assert (await api.post(USERS, json=new_user(), headers=KEY)).status_code == 201


async def test_concurrent_posts_with_one_key_create_one_activity(
    api: httpx.AsyncClient, database: Database
) -> None:
    kim = (await person(database, "kim")).headers
    responses = await asyncio.gather(
        *(api.post(ACTIVITIES, json=RUN, headers=kim | KEY) for _ in range(8))
    )
    assert await database.fetchval("select count(*) from activities") == 1
    assert {response.status_code for response in responses} <= {201, 409}
    assert len({response.text for response in responses if response.status_code == 201}) == 1


async def test_request_body_is_not_stored(api: httpx.AsyncClient, database: Database) -> None:
    await api.post(USERS, json=new_user(), headers=KEY)
    stored = await database.fetchval("select idempotency_keys::text from idempotency_keys")
    assert PASSWORD not in stored
    assert PASSWORD.encode().hex() not in stored


@pytest.mark.parametrize("key", ["", "k" * 256, "\xfc"])
async def test_invalid_key_is_400(api: httpx.AsyncClient, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    response = await api.post(USERS, json=new_user(), headers=headers)
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["Idempotency-Key"]


async def test_key_of_255_characters_is_accepted(api: httpx.AsyncClient) -> None:
    response = await api.post(USERS, json=new_user(), headers={"Idempotency-Key": "k" * 255})
    assert response.status_code == 201


async def test_anonymous_keys_are_per_client(
    api: httpx.AsyncClient, application: Any, database: Database
) -> None:
    """A stranger who uses a key neither gets its response nor keeps others from using it."""
    for number in (1, 2):
        transport = httpx.ASGITransport(app=application, client=(f"198.51.100.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            body = new_user(f"person{number}@example.com")
            first = await client.post(USERS, json=body, headers=KEY)
            again = await client.post(USERS, json=body, headers=KEY)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
    assert await database.fetchval("select count(*) from users") == 2
    stored = await database.fetchval("select string_agg(k::text, '') from idempotency_keys as k")
    assert "198.51.100" not in stored
