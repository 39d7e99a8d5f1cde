"""Friends and friend requests over HTTP."""

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


async def send_request(api: httpx.AsyncClient, user: Person, email: str) -> httpx.Response:
    return await api.post("/api/v1/friends/requests", json={"email": email}, headers=user.headers)


async def answer_request(
    api: httpx.AsyncClient, user: Person, request_id: str, decision: str
) -> httpx.Response:
    return await api.post(f"/api/v1/friends/requests/{request_id}/{decision}", headers=user.headers)


async def friends_of(api: httpx.AsyncClient, user: Person) -> list[str]:
    response = await api.get("/api/v1/friends", headers=user.headers)
    return [friend["name"] for friend in response.json()["items"]]


async def waiting_requests(api: httpx.AsyncClient, user: Person) -> list[dict[str, Any]]:
    response = await api.get("/api/v1/friends/requests", headers=user.headers)
    return list(response.json()["items"])


async def test_friend_request_is_accepted(api: httpx.AsyncClient, kim: Person, sam: Person) -> None:
    request = await send_request(api, kim, "Sam@Example.com")
    (waiting,) = await waiting_requests(api, sam)
    accepted = await answer_request(api, sam, waiting["id"], "accept")

    assert request.status_code == 201
    assert request.json() == {"id": waiting["id"], "status": "pending"}
    assert (waiting["name"], waiting["user_id"]) == ("kim", str(kim.id))
    assert accepted.status_code == 200
    assert accepted.json() == {"id": waiting["id"], "status": "accepted"}
    assert (await friends_of(api, kim), await friends_of(api, sam)) == (["sam"], ["kim"])
    assert await waiting_requests(api, sam) == []


async def test_declined_request_can_be_sent_again(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    request = (await send_request(api, kim, sam.email)).json()
    declined = await answer_request(api, sam, request["id"], "decline")

    assert declined.json() == {"id": request["id"], "status": "declined"}
    assert (await friends_of(api, kim), await friends_of(api, sam)) == ([], [])
    assert await waiting_requests(api, sam) == []
    again = await send_request(api, kim, sam.email)
    assert again.json()["status"] == "pending"
    assert again.json()["id"] != request["id"]


async def test_only_the_recipient_can_answer_a_request_and_only_once(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    alex = await person(database, "alex")
    request_id = (await send_request(api, kim, sam.email)).json()["id"]

    for decision in ("accept", "decline"):
        for user in (kim, alex):
            assert (await answer_request(api, user, request_id, decision)).status_code == 404
        assert (await answer_request(api, sam, str(uuid4()), decision)).status_code == 404
    assert (await answer_request(api, sam, request_id, "accept")).status_code == 200
    for decision in ("accept", "decline"):
        assert (await answer_request(api, sam, request_id, decision)).status_code == 404


async def test_request_to_oneself_is_refused(api: httpx.AsyncClient, kim: Person) -> None:
    response = await send_request(api, kim, "KIM@example.com")

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["email"]


@pytest.mark.parametrize("body", [{}, {"email": "nobody"}, {"email": None}, {"user_id": "sam"}])
async def test_invalid_request_is_refused(
    api: httpx.AsyncClient, kim: Person, body: dict[str, Any]
) -> None:
    response = await api.post("/api/v1/friends/requests", json=body, headers=kim.headers)

    assert response.status_code == 400


async def test_response_does_not_disclose_whether_the_address_has_an_account(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    """A repeated request gets the first response, even for an unknown address."""
    for email in (sam.email, "nobody@example.com"):
        first, second = [await send_request(api, kim, email) for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert first.json().keys() == {"id", "status"}
        assert first.json()["status"] == "pending"


async def test_request_to_an_unknown_address_is_waiting_when_its_owner_signs_up(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    request = (await send_request(api, kim, "later@example.com")).json()
    later = await person(database, "later")

    assert [waiting["id"] for waiting in await waiting_requests(api, later)] == [request["id"]]


async def test_request_back_to_the_requester_accepts_the_first_request(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    first = (await send_request(api, kim, sam.email)).json()
    back = await send_request(api, sam, kim.email)

    assert back.status_code == 201
    assert back.json() == {"id": first["id"], "status": "accepted"}
    assert (await friends_of(api, kim), await friends_of(api, sam)) == (["sam"], ["kim"])


async def test_concurrent_mutual_requests_create_one_friendship(
    api: httpx.AsyncClient, database: Database
) -> None:
    for number in range(10):
        first = await person(database, f"first{number}")
        other = await person(database, f"other{number}")

        responses = await asyncio.gather(
            send_request(api, first, other.email), send_request(api, other, first.email)
        )

        assert {response.json()["status"] for response in responses} == {"pending", "accepted"}
        assert len({response.json()["id"] for response in responses}) == 1
        assert await friends_of(api, first) == [f"other{number}"]
        assert await friends_of(api, other) == [f"first{number}"]


async def test_request_between_friends_is_409(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    await send_request(api, kim, sam.email)
    await send_request(api, sam, kim.email)

    assert (await send_request(api, kim, sam.email)).status_code == 409
    assert (await send_request(api, sam, kim.email)).status_code == 409


async def test_removing_a_friend_ends_the_friendship_for_both_users(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    await send_request(api, kim, sam.email)
    await send_request(api, sam, kim.email)

    ended = await api.delete(f"/api/v1/friends/{kim.id}", headers=sam.headers)
    again = await api.delete(f"/api/v1/friends/{sam.id}", headers=kim.headers)

    assert (ended.status_code, again.status_code) == (204, 404)
    assert (await friends_of(api, kim), await friends_of(api, sam)) == ([], [])
    assert (await send_request(api, kim, sam.email)).json()["status"] == "pending"


async def test_only_friends_can_be_removed(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    alex = await person(database, "alex")
    await send_request(api, kim, sam.email)
    await send_request(api, sam, kim.email)

    for user_id in (kim.id, sam.id, alex.id, uuid4()):
        response = await api.delete(f"/api/v1/friends/{user_id}", headers=alex.headers)
        assert response.status_code == 404
    assert await friends_of(api, kim) == ["sam"]


async def test_deleted_accounts_disappear_from_friends_and_requests(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    alex = await person(database, "alex")
    await send_request(api, kim, sam.email)
    await send_request(api, sam, kim.email)
    request_id = (await send_request(api, sam, alex.email)).json()["id"]
    await database.execute("update users set deleted_at = now() where id = $1", sam.id)

    assert await friends_of(api, kim) == []
    assert await waiting_requests(api, alex) == []
    assert (await answer_request(api, alex, request_id, "accept")).status_code == 404


async def test_friends_and_requests_are_paged(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    people = [await person(database, f"friend{number}") for number in range(7)]
    for other in people:
        await send_request(api, other, kim.email)

    assert await names_on_pages(api, kim, "/api/v1/friends/requests") == [
        f"friend{number}" for number in reversed(range(7))
    ]
    for other in people:
        await send_request(api, kim, other.email)
    assert await names_on_pages(api, kim, "/api/v1/friends") == [
        f"friend{number}" for number in reversed(range(7))
    ]


async def names_on_pages(api: httpx.AsyncClient, user: Person, path: str) -> list[str]:
    """Return the names from all pages, with up to three names on each."""
    names: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        response = (await api.get(path, params=query, headers=user.headers)).json()
        names += [item["name"] for item in response["items"]]
        if response["next_cursor"] is None:
            return names
        query["cursor"] = response["next_cursor"]


async def test_repeated_idempotency_key_does_not_send_a_declined_request_again(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    headers = {**kim.headers, "Idempotency-Key": "ask sam"}

    async def ask_sam() -> Any:
        body = {"email": sam.email}
        response = await api.post("/api/v1/friends/requests", json=body, headers=headers)
        return response.json()

    first = await ask_sam()
    await answer_request(api, sam, first["id"], "decline")

    assert await ask_sam() == first
    assert await waiting_requests(api, sam) == []
