"""Friends and friend requests over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.embedded.inbox import Inbox
from app.postgres.database import Database
from tests.support.people import Person, person
from tests.support.working import RunJobs


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


async def sent_requests(api: httpx.AsyncClient, user: Person) -> list[dict[str, Any]]:
    query = {"direction": "sent"}
    response = await api.get("/api/v1/friends/requests", params=query, headers=user.headers)
    return list(response.json()["items"])


async def make_older(database: Database, days: int) -> None:
    """Make all requests, and the answers to them, this many days older."""
    await database.execute(
        "update friend_requests set created_at = created_at - $1 * interval '1 day',"
        " answered_at = answered_at - $1 * interval '1 day'",
        days,
    )


async def test_friend_request_is_accepted(api: httpx.AsyncClient, kim: Person, sam: Person) -> None:
    request = await send_request(api, kim, "Sam@Example.com")
    (waiting,) = await waiting_requests(api, sam)
    accepted = await answer_request(api, sam, waiting["id"], "accept")

    assert request.status_code == 201
    assert request.json() == {"id": waiting["id"], "status": "pending"}
    assert (waiting["name"], waiting["user_id"]) == ("kim", str(kim.id))
    assert waiting["email"] == "kim@example.com"
    assert accepted.status_code == 200
    assert accepted.json() == {"id": waiting["id"], "status": "accepted"}
    assert (await friends_of(api, kim), await friends_of(api, sam)) == (["sam"], ["kim"])
    assert await waiting_requests(api, sam) == []


async def test_declined_request_can_be_sent_again_after_90_days_and_looks_pending_until_then(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    request = (await send_request(api, kim, sam.email)).json()
    declined = await answer_request(api, sam, request["id"], "decline")

    assert declined.json() == {"id": request["id"], "status": "declined"}
    assert (await friends_of(api, kim), await friends_of(api, sam)) == ([], [])
    assert await waiting_requests(api, sam) == []
    assert (await send_request(api, kim, sam.email)).json() == request
    assert [sent["id"] for sent in await sent_requests(api, kim)] == [request["id"]]

    for age, seen in ((31, 0), (91, 1)):
        await make_older(database, age)
        again = await send_request(api, kim, sam.email)
        assert again.json()["status"] == "pending"
        assert again.json()["id"] != request["id"]
        assert len(await waiting_requests(api, sam)) == seen
        assert [sent["id"] for sent in await sent_requests(api, kim)] == [again.json()["id"]]


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


async def test_five_new_requests_a_minute_and_twenty_a_day_are_allowed(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    """Withdrawing requests, repeating them and asking at once gain nothing."""
    await send_request(api, kim, "0@example.com")
    responses = await asyncio.gather(
        *(send_request(api, kim, f"{number}@example.com") for number in range(1, 9))
    )
    assert [201] * 4 + [429] * 4 == sorted(response.status_code for response in responses)
    assert 0 < int(max(responses, key=lambda r: r.status_code).headers["retry-after"]) <= 60
    assert (await send_request(api, kim, "0@example.com")).status_code == 201
    for sent in await sent_requests(api, kim):
        path = f"/api/v1/friends/requests/{sent['id']}"
        assert (await api.delete(path, headers=kim.headers)).status_code == 204
    assert (await send_request(api, kim, "9@example.com")).status_code == 429

    await database.execute("update friend_requests set created_at = now() - interval '2 minutes'")
    await database.execute(
        "insert into friend_requests (requester_id, email, created_at)"
        " select $1, 'old' || n || '@example.com', now() - interval '23 hours'"
        " from generate_series(1, 14) as n",
        kim.id,
    )
    assert (await send_request(api, kim, "10@example.com")).status_code == 201
    refused = await send_request(api, kim, "11@example.com")
    assert refused.status_code == 429
    assert 60 < int(refused.headers["retry-after"]) <= 3600
    assert "5 a minute and 20 a day" in refused.json()["detail"]


async def test_withdrawn_request_is_hidden_cannot_be_answered_and_is_emailed_once(
    api: httpx.AsyncClient,
    database: Database,
    inbox: Inbox,
    run_jobs: RunJobs,
    kim: Person,
    sam: Person,
) -> None:
    request_id = (await send_request(api, kim, sam.email)).json()["id"]
    await run_jobs()
    path = f"/api/v1/friends/requests/{request_id}"
    assert (await api.delete(path, headers=sam.headers)).status_code == 404
    assert (await api.delete(path, headers=kim.headers)).status_code == 204
    assert (await api.delete(path, headers=kim.headers)).status_code == 404
    assert await waiting_requests(api, sam) == await sent_requests(api, kim) == []
    assert (await answer_request(api, sam, request_id, "accept")).status_code == 404

    assert (await send_request(api, kim, sam.email)).json()["id"] == request_id
    await run_jobs()
    assert [request_id] == [waiting["id"] for waiting in await waiting_requests(api, sam)]
    assert len(inbox.emails()) == 1


async def test_sent_requests_look_the_same_whoever_has_the_address(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    await send_request(api, kim, "Nobody@example.com")
    await send_request(api, kim, sam.email)
    first, second = await sent_requests(api, kim)
    assert (first["email"], second["email"]) == ("sam@example.com", "nobody@example.com")
    for sent in (first, second):
        assert (sent["user_id"], sent["name"]) == (None, None)


async def test_unanswered_requests_expire_after_30_days(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    """All do, not only those to addresses without an account: that would tell who has one."""
    first = [(await send_request(api, kim, email)).json() for email in (sam.email, "x@example.com")]
    await make_older(database, 31)
    assert await waiting_requests(api, sam) == await sent_requests(api, kim) == []
    assert (await answer_request(api, sam, first[0]["id"], "accept")).status_code == 404
    again = [(await send_request(api, kim, email)).json() for email in (sam.email, "x@example.com")]
    assert {one["id"] for one in first}.isdisjoint(one["id"] for one in again)
    assert len(await waiting_requests(api, sam)) == 1


async def test_block_ends_the_friendship_and_hides_requests_both_ways_without_telling(
    api: httpx.AsyncClient,
    database: Database,
    inbox: Inbox,
    run_jobs: RunJobs,
    kim: Person,
    sam: Person,
) -> None:
    await send_request(api, kim, sam.email)
    await send_request(api, sam, kim.email)
    await run_jobs()
    inbox.clear()
    for _ in range(2):
        blocked = await api.put(f"/api/v1/blocks/{sam.id}", headers=kim.headers)
        assert blocked.status_code == 204
    assert (await friends_of(api, kim), await friends_of(api, sam)) == ([], [])

    request = await send_request(api, sam, kim.email)
    assert (request.status_code, request.json()["status"]) == (201, "pending")
    assert len(await sent_requests(api, sam)) == 1
    assert await waiting_requests(api, kim) == []
    request_id = request.json()["id"]
    assert (await answer_request(api, kim, request_id, "accept")).status_code == 404
    refused = await send_request(api, kim, sam.email)
    assert (refused.status_code, "Unblock them first" in refused.text) == (409, True)
    await run_jobs()
    assert inbox.emails() == []

    blocks = (await api.get("/api/v1/blocks", headers=kim.headers)).json()["items"]
    assert [(str(sam.id), "sam")] == [(block["user_id"], block["name"]) for block in blocks]
    assert (await api.get("/api/v1/blocks", headers=sam.headers)).json()["items"] == []
    assert (await api.delete(f"/api/v1/blocks/{sam.id}", headers=kim.headers)).status_code == 204
    assert [request_id] == [waiting["id"] for waiting in await waiting_requests(api, kim)]


async def test_block_withdraws_ones_own_request(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    request_id = (await send_request(api, kim, sam.email)).json()["id"]
    await api.put(f"/api/v1/blocks/{sam.id}", headers=kim.headers)
    assert await waiting_requests(api, sam) == await sent_requests(api, kim) == []
    assert (await answer_request(api, sam, request_id, "accept")).status_code == 404
    back = await send_request(api, sam, kim.email)
    assert back.json()["status"] == "pending"
    assert await friends_of(api, sam) == []


async def test_unknown_users_and_oneself_cannot_be_blocked(
    api: httpx.AsyncClient, kim: Person
) -> None:
    unknown = await api.put(f"/api/v1/blocks/{uuid4()}", headers=kim.headers)
    oneself = await api.put(f"/api/v1/blocks/{kim.id}", headers=kim.headers)
    assert (unknown.status_code, oneself.status_code) == (404, 400)


async def test_blocks_are_paged(api: httpx.AsyncClient, database: Database, kim: Person) -> None:
    for number in range(5):
        other = await person(database, f"other{number}")
        await api.put(f"/api/v1/blocks/{other.id}", headers=kim.headers)
    assert await names_on_pages(api, kim, "/api/v1/blocks") == [
        f"other{number}" for number in reversed(range(5))
    ]


async def test_recipient_can_turn_off_friend_request_emails_and_still_sees_the_requests(
    api: httpx.AsyncClient,
    database: Database,
    inbox: Inbox,
    run_jobs: RunJobs,
    kim: Person,
    sam: Person,
) -> None:
    off = {"preferences": {"friend_requests": False}}
    await api.patch("/api/v1/users/me", json=off, headers=sam.headers)
    await send_request(api, kim, sam.email)
    await run_jobs()
    assert inbox.emails() == []
    assert len(await waiting_requests(api, sam)) == 1


async def test_block_at_the_same_time_as_an_acceptance_leaves_no_friendship(
    api: httpx.AsyncClient, database: Database
) -> None:
    for number in range(10):
        first = await person(database, f"first{number}")
        other = await person(database, f"other{number}")
        request_id = (await send_request(api, first, other.email)).json()["id"]
        blocker, blocked = (first, other) if number % 2 else (other, first)

        await asyncio.gather(
            answer_request(api, other, request_id, "accept"),
            api.put(f"/api/v1/blocks/{blocked.id}", headers=blocker.headers),
        )

        assert (await friends_of(api, first), await friends_of(api, other)) == ([], [])
    assert await database.fetchval("select count(*) from blocks") == 10
