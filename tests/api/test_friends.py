"""Friends and requests over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.postgres.database import Database
from tests.support.people import Person, person


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


@pytest.fixture
async def sam(database: Database) -> Person:
    return await person(database, "sam")


async def asked(api: httpx.AsyncClient, who: Person, email: str) -> httpx.Response:
    return await api.post("/api/v1/friends/requests", json={"email": email}, headers=who.headers)


async def answered(
    api: httpx.AsyncClient, who: Person, request_id: str, answer: str
) -> httpx.Response:
    return await api.post(f"/api/v1/friends/requests/{request_id}/{answer}", headers=who.headers)


async def friends_of(api: httpx.AsyncClient, who: Person) -> list[str]:
    answer = await api.get("/api/v1/friends", headers=who.headers)
    return [friend["name"] for friend in answer.json()["items"]]


async def waiting_for(api: httpx.AsyncClient, who: Person) -> list[dict[str, Any]]:
    answer = await api.get("/api/v1/friends/requests", headers=who.headers)
    return list(answer.json()["items"])


async def test_a_request_is_accepted(api: httpx.AsyncClient, kim: Person, sam: Person) -> None:
    request = await asked(api, kim, "Sam@Example.com")
    (waiting,) = await waiting_for(api, sam)
    accepted = await answered(api, sam, waiting["id"], "accept")

    assert request.status_code == 201
    assert request.json() == {"id": waiting["id"], "status": "pending"}
    assert (waiting["name"], waiting["user_id"]) == ("kim", str(kim.id))
    assert accepted.status_code == 200
    assert accepted.json() == {"id": waiting["id"], "status": "accepted"}
    assert (await friends_of(api, kim), await friends_of(api, sam)) == (["sam"], ["kim"])
    assert await waiting_for(api, sam) == []


async def test_a_declined_request_can_be_made_anew(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    request = (await asked(api, kim, sam.email)).json()
    declined = await answered(api, sam, request["id"], "decline")

    assert declined.json() == {"id": request["id"], "status": "declined"}
    assert (await friends_of(api, kim), await friends_of(api, sam)) == ([], [])
    assert await waiting_for(api, sam) == []
    again = await asked(api, kim, sam.email)
    assert again.json()["status"] == "pending"
    assert again.json()["id"] != request["id"]


async def test_only_the_one_who_is_asked_can_answer_and_once(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    alex = await person(database, "alex")
    request_id = (await asked(api, kim, sam.email)).json()["id"]

    for answer in ("accept", "decline"):
        for who in (kim, alex):
            assert (await answered(api, who, request_id, answer)).status_code == 404
        assert (await answered(api, sam, str(uuid4()), answer)).status_code == 404
    assert (await answered(api, sam, request_id, "accept")).status_code == 200
    for answer in ("accept", "decline"):
        assert (await answered(api, sam, request_id, answer)).status_code == 404


async def test_to_ask_oneself_is_refused(api: httpx.AsyncClient, kim: Person) -> None:
    answer = await asked(api, kim, "KIM@example.com")

    assert answer.status_code == 400
    assert [part["field"] for part in answer.json()["errors"]] == ["email"]


@pytest.mark.parametrize("body", [{}, {"email": "nobody"}, {"email": None}, {"user_id": "sam"}])
async def test_a_wrong_request_is_refused(
    api: httpx.AsyncClient, kim: Person, body: dict[str, Any]
) -> None:
    answer = await api.post("/api/v1/friends/requests", json=body, headers=kim.headers)

    assert answer.status_code == 400


async def test_asking_does_not_tell_whether_anybody_has_the_address(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    """Neither the first time nor the second, which gives the first request again."""
    for email in (sam.email, "nobody@example.com"):
        first, second = [await asked(api, kim, email) for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert first.json().keys() == {"id", "status"}
        assert first.json()["status"] == "pending"


async def test_who_signs_up_later_finds_the_request(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    request = (await asked(api, kim, "later@example.com")).json()
    later = await person(database, "later")

    assert [waiting["id"] for waiting in await waiting_for(api, later)] == [request["id"]]


async def test_asking_back_accepts(api: httpx.AsyncClient, kim: Person, sam: Person) -> None:
    first = (await asked(api, kim, sam.email)).json()
    back = await asked(api, sam, kim.email)

    assert back.status_code == 201
    assert back.json() == {"id": first["id"], "status": "accepted"}
    assert (await friends_of(api, kim), await friends_of(api, sam)) == (["sam"], ["kim"])


async def test_two_who_ask_each_other_at_once_are_friends(
    api: httpx.AsyncClient, database: Database
) -> None:
    for number in range(10):
        one = await person(database, f"one{number}")
        other = await person(database, f"other{number}")

        answers = await asyncio.gather(asked(api, one, other.email), asked(api, other, one.email))

        assert {answer.json()["status"] for answer in answers} == {"pending", "accepted"}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert await friends_of(api, one) == [f"other{number}"]
        assert await friends_of(api, other) == [f"one{number}"]


async def test_friends_cannot_ask_again(api: httpx.AsyncClient, kim: Person, sam: Person) -> None:
    await asked(api, kim, sam.email)
    await asked(api, sam, kim.email)

    assert (await asked(api, kim, sam.email)).status_code == 409
    assert (await asked(api, sam, kim.email)).status_code == 409


async def test_an_ended_friendship_is_ended_on_both_sides(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    await asked(api, kim, sam.email)
    await asked(api, sam, kim.email)

    ended = await api.delete(f"/api/v1/friends/{kim.id}", headers=sam.headers)
    again = await api.delete(f"/api/v1/friends/{sam.id}", headers=kim.headers)

    assert (ended.status_code, again.status_code) == (204, 404)
    assert (await friends_of(api, kim), await friends_of(api, sam)) == ([], [])
    assert (await asked(api, kim, sam.email)).json()["status"] == "pending"


async def test_who_is_no_friend_cannot_be_left(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    alex = await person(database, "alex")
    await asked(api, kim, sam.email)
    await asked(api, sam, kim.email)

    for user_id in (kim.id, sam.id, alex.id, uuid4()):
        answer = await api.delete(f"/api/v1/friends/{user_id}", headers=alex.headers)
        assert answer.status_code == 404
    assert await friends_of(api, kim) == ["sam"]


async def test_deleted_accounts_are_nobodys_friends(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    alex = await person(database, "alex")
    await asked(api, kim, sam.email)
    await asked(api, sam, kim.email)
    request_id = (await asked(api, sam, alex.email)).json()["id"]
    await database.execute("update users set deleted_at = now() where id = $1", sam.id)

    assert await friends_of(api, kim) == []
    assert await waiting_for(api, alex) == []
    assert (await answered(api, alex, request_id, "accept")).status_code == 404


async def test_lists_come_in_pages(api: httpx.AsyncClient, database: Database, kim: Person) -> None:
    people = [await person(database, f"friend{number}") for number in range(7)]
    for other in people:
        await asked(api, other, kim.email)

    assert await paged(api, kim, "/api/v1/friends/requests") == [
        f"friend{number}" for number in reversed(range(7))
    ]
    for other in people:
        await asked(api, kim, other.email)
    assert await paged(api, kim, "/api/v1/friends") == [
        f"friend{number}" for number in reversed(range(7))
    ]


async def paged(api: httpx.AsyncClient, who: Person, path: str) -> list[str]:
    """The names on all pages of three."""
    names: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        answer = (await api.get(path, params=query, headers=who.headers)).json()
        names += [item["name"] for item in answer["items"]]
        if answer["next_cursor"] is None:
            return names
        query["cursor"] = answer["next_cursor"]


async def test_a_repetition_under_one_key_asks_once(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    headers = {**kim.headers, "Idempotency-Key": "ask sam"}
    body = {"email": sam.email}

    answers = [
        await api.post("/api/v1/friends/requests", json=body, headers=headers) for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert await database.fetchval("select count(*) from friend_requests") == 1
