"""Failures with the same status have different problem types if clients must tell them apart."""

from __future__ import annotations

import httpx
import pytest

from app.resources import Resources
from app.web.failures import phrase_of
from tests.security.world import World, build
from tests.support.people import Person, person
from tests.users.people import PASSWORD, new_user


@pytest.fixture
async def world(resources: Resources) -> World:
    return await build(resources)


@pytest.fixture
async def kim(world: World) -> Person:
    kim = world.people["kim"]
    assert kim is not None
    return kim


def problem(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()
    return response.status_code, body["type"], body["title"]


async def test_taken_address_and_existing_friendship_have_different_types(
    api: httpx.AsyncClient, kim: Person
) -> None:
    taken = await api.post("/api/v1/users", json=new_user("kim@example.com"))
    friends = await api.post(
        "/api/v1/friends/requests", json={"email": "jo@example.com"}, headers=kim.headers
    )
    assert problem(taken) == (409, "/problems/address_taken", "Address taken")
    assert problem(friends) == (409, "/problems/already_friends", "Already friends")


async def test_confirmed_and_suppressed_addresses_have_different_types(
    api: httpx.AsyncClient, resources: Resources, kim: Person
) -> None:
    confirmed = await api.post("/api/v1/users/confirm", headers=kim.headers)
    new = await person(resources.database, "new", confirmed=False)
    await resources.database.execute(
        "insert into suppressions (address, reason) values ('new@example.com', 'operator')"
    )
    suppressed = await api.post("/api/v1/users/confirm", headers=new.headers)
    assert problem(confirmed)[:2] == (409, "/problems/already_confirmed")
    assert problem(suppressed)[:2] == (409, "/problems/address_suppressed")


async def test_unconfirmed_user_gets_a_type_of_their_own(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    new = await person(resources.database, "new", confirmed=False)
    refused = await api.get("/api/v1/friends/requests", headers=new.headers)
    assert problem(refused)[:2] == (403, "/problems/unconfirmed")


async def test_unfinished_and_failed_exports_have_different_types(
    api: httpx.AsyncClient, world: World, kim: Person
) -> None:
    requested = await api.post(
        "/api/v1/export/request", json={"format": "csv"}, headers=kim.headers
    )
    unfinished, without_a_job = requested.json()["id"], world.named["{export_id}"]
    responses = [
        await api.get(f"/api/v1/export/{export_id}/download", headers=kim.headers)
        for export_id in (unfinished, without_a_job)
    ]
    assert problem(responses[0])[:2] == (409, "/problems/export_not_ready")
    assert problem(responses[1])[:2] == (409, "/problems/export_failed")


async def test_third_unfinished_export_has_a_type_unlike_other_limits(
    api: httpx.AsyncClient, kim: Person
) -> None:
    responses = [
        await api.post(
            "/api/v1/export/request", json={"format": "csv", "type": type}, headers=kim.headers
        )
        for type in ("run", "ride", "swim")
    ]
    assert problem(responses[-1])[:2] == (429, "/problems/exports_in_progress")


async def test_wrong_passwords_have_types(api: httpx.AsyncClient, kim: Person) -> None:
    wrong = {"current_password": PASSWORD + "!", "password": PASSWORD + "!"}
    changed = await api.put("/api/v1/users/me/password", json=wrong, headers=kim.headers)
    signed_in = await api.post(
        "/api/v1/sessions", json={"email": "kim@example.com", "password": "wrong"}
    )
    assert problem(changed)[:2] == (403, "/problems/wrong_password")
    assert problem(signed_in)[:2] == (401, "/problems/wrong_credentials")


async def test_other_failures_have_the_type_about_blank_and_the_phrase_of_their_status(
    api: httpx.AsyncClient, kim: Person
) -> None:
    response = await api.get("/api/v1/activities/no-uuid", headers=kim.headers)
    assert problem(response) == (404, "about:blank", "Not Found")


def test_phrases_are_those_of_rfc_9110() -> None:
    assert [phrase_of(status) for status in (404, 413, 414, 416, 422)] == [
        "Not Found",
        "Content Too Large",
        "URI Too Long",
        "Range Not Satisfiable",
        "Unprocessable Content",
    ]


async def test_body_that_is_too_large_is_titled_content_too_large(api: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    response = await api.post("/api/v1/users", content=b" " * 1_000_001, headers=headers)
    assert problem(response) == (413, "about:blank", "Content Too Large")
