"""`ETag`, `If-Match` and `If-None-Match` on activities and on the profile with its preferences."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app.email.subscriptions import unsubscribe_token
from app.resources import Resources
from app.users import statements
from app.users.accounts import unsubscribe
from tests.security.world import World, build
from tests.support.locks import WAITING, wait_for_blocked_transaction
from tests.support.people import Person
from tests.support.working import eventually
from tests.users.people import PASSWORD

ACTIVITY = "/api/v1/activities/{activity_id}"
ME = "/api/v1/users/me"
CHANGES: dict[str, dict[str, Any]] = {ACTIVITY: {"notes": "Frost."}, ME: {"name": "Kim Lee"}}
OTHER_CHANGES: dict[str, dict[str, Any]] = {
    ACTIVITY: {"calories": 7},
    ME: {"preferences": {"weekly_summary": False}},
}
DELETIONS: dict[str, dict[str, Any] | None] = {ACTIVITY: None, ME: {"password": PASSWORD}}
LOCKS = {
    ACTIVITY: "select 1 from activities for no key update",
    ME: "select 1 from users where email = 'kim@example.com' for no key update",
}

both_resources = pytest.mark.parametrize("template", [ACTIVITY, ME])


@pytest.fixture
async def world(resources: Resources) -> World:
    return await build(resources)


@pytest.fixture
async def kim(world: World) -> Person:
    kim = world.people["kim"]
    assert kim is not None
    return kim


@pytest.fixture
async def client(api: httpx.AsyncClient, kim: Person) -> httpx.AsyncClient:
    """A client that sends Kim's token."""
    api.headers.update(kim.headers)
    return api


async def etag_of(client: httpx.AsyncClient, path: str) -> str:
    response = await client.get(path)
    assert response.status_code == 200
    return response.headers["etag"]


@both_resources
async def test_etag_is_strong_and_changes_with_every_change(
    template: str, client: httpx.AsyncClient, world: World
) -> None:
    path = world.path(template)
    etags = [await etag_of(client, path), await etag_of(client, path)]
    assert etags[0] == etags[1]
    for change in (CHANGES[template], OTHER_CHANGES[template]):
        changed = await client.patch(path, json=change)
        etags.append(changed.headers["etag"])
        assert etags[-1] == await etag_of(client, path)
    assert len(set(etags[1:])) == 3
    assert all(etag.startswith('"') and etag.endswith('"') for etag in etags)


async def test_new_activity_has_the_etag_that_reading_it_returns(
    client: httpx.AsyncClient,
) -> None:
    body = {"type": "run", "started_at": "2026-11-02T07:30:00Z", "duration_s": 1800}
    created = await client.post("/api/v1/activities", json=body)
    assert created.headers["etag"] == await etag_of(client, created.headers["location"])


async def test_etag_of_an_activity_changes_with_its_photos(
    client: httpx.AsyncClient, world: World
) -> None:
    before = await etag_of(client, world.path(ACTIVITY))
    assert (await client.delete(world.path("/api/v1/photos/{photo_id}"))).status_code == 204
    assert await etag_of(client, world.path(ACTIVITY)) != before


@both_resources
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("condition", ["*", "{etag}", '"other", {etag}', 'W/"weak" ,\t{etag} , '])
async def test_current_etag_alone_or_in_a_list_or_a_star_allows_a_change(
    condition: str, method: str, template: str, client: httpx.AsyncClient, world: World
) -> None:
    path = world.path(template)
    response = await client.request(
        method,
        path,
        json=(CHANGES if method == "PATCH" else DELETIONS)[template],
        headers={"If-Match": condition.format(etag=await etag_of(client, path))},
    )
    assert response.status_code == (200 if method == "PATCH" else 204)


@both_resources
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("condition", ['"nope"', "W/{etag}", '"nope", "neither"'])
async def test_other_or_weak_etag_refuses_a_change_with_412(
    condition: str, method: str, template: str, client: httpx.AsyncClient, world: World
) -> None:
    path = world.path(template)
    etag = await etag_of(client, path)
    response = await client.request(
        method,
        path,
        json=(CHANGES if method == "PATCH" else DELETIONS)[template],
        headers={"If-Match": condition.format(etag=etag)},
    )
    assert (response.status_code, response.json()["title"]) == (412, "Precondition Failed")
    assert "If-Match" in response.json()["detail"]
    assert await etag_of(client, path) == etag


@both_resources
async def test_if_none_match_refuses_a_change_of_the_state_that_it_names(
    template: str, client: httpx.AsyncClient, world: World
) -> None:
    path = world.path(template)
    etag = await etag_of(client, path)
    for condition, status in (("*", 412), (etag, 412), ('"other"', 200)):
        response = await client.patch(
            path, json=CHANGES[template], headers={"If-None-Match": condition}
        )
        assert response.status_code == status


@both_resources
async def test_of_two_devices_with_the_same_if_match_one_wins(
    template: str, client: httpx.AsyncClient, world: World, resources: Resources
) -> None:
    path = world.path(template)
    headers = {"If-Match": await etag_of(client, path)}
    async with resources.database.transaction() as tx:
        await tx.execute(LOCKS[template])
        changes = [
            asyncio.create_task(client.patch(path, json=change, headers=headers))
            for change in (CHANGES[template], OTHER_CHANGES[template])
        ]
        await eventually(lambda: resources.database.fetchval(WAITING), 2)
    statuses = [(await change).status_code for change in changes]
    assert sorted(statuses) == [200, 412]


async def test_unsubscribing_waits_for_a_conditional_change_of_the_preferences(
    client: httpx.AsyncClient, resources: Resources, kim: Person
) -> None:
    secret = resources.settings.secret_key
    token = unsubscribe_token(secret, kim.id, "weekly_summary")

    async def unsubscribe_by_link() -> None:
        async with resources.database.transaction() as tx:
            await unsubscribe(tx, secret, token)

    async with resources.database.transaction() as tx:
        await statements.lock_account(tx, user_id=kim.id)
        link = asyncio.create_task(unsubscribe_by_link())
        await wait_for_blocked_transaction(resources.database)
    await link
    assert not (await client.get(ME)).json()["preferences"]["weekly_summary"]


@both_resources
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_if_none_match_with_the_current_etag_is_304_without_a_body(
    method: str, template: str, client: httpx.AsyncClient, world: World
) -> None:
    path = world.path(template)
    etag = await etag_of(client, path)
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await client.request(method, path, headers={"If-None-Match": condition})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
        assert "content-type" not in response.headers
    response = await client.request(method, path, headers={"If-None-Match": '"other"'})
    assert response.status_code == 200


@both_resources
async def test_reading_with_an_if_match_that_fails_is_412(
    template: str, client: httpx.AsyncClient, world: World
) -> None:
    response = await client.get(world.path(template), headers={"If-Match": '"other"'})
    assert response.status_code == 412


@both_resources
@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", ["nope", "", '"a" "b"', '*, "a"', 'w/"a"'])
async def test_malformed_condition_is_400_and_names_the_header(
    value: str, name: str, template: str, client: httpx.AsyncClient, world: World
) -> None:
    response = await client.patch(
        world.path(template), json=CHANGES[template], headers={name: value}
    )
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [name]


async def test_conditions_on_a_missing_activity_are_404(
    client: httpx.AsyncClient, world: World
) -> None:
    path = world.path(ACTIVITY)
    await client.delete(path)
    for method in ("PATCH", "DELETE", "GET"):
        body: dict[str, Any] | None = {} if method == "PATCH" else None
        response = await client.request(method, path, headers={"If-Match": "*"}, json=body)
        assert response.status_code == 404
