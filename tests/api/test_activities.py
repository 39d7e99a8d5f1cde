"""Activities over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.postgres.database import Database
from tests.support.moments import at
from tests.support.people import Person, person
from tests.support.wall_clock import WallClock

pytestmark = pytest.mark.usefixtures("in_november")

RUN = {"type": "run", "started_at": "2026-11-21T07:30:00+01:00", "duration_s": 2700}


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


@pytest.fixture
async def sam(database: Database) -> Person:
    return await person(database, "sam")


async def create_activity(api: httpx.AsyncClient, user: Person, **fields: Any) -> dict[str, Any]:
    response = await api.post("/api/v1/activities", json={**RUN, **fields}, headers=user.headers)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_activity_is_created_and_read(api: httpx.AsyncClient, kim: Person) -> None:
    fields = {**RUN, "distance_m": 8400.5, "calories": 610, "notes": "Frost on the towpath. ❄"}

    created = await create_activity(api, kim, **fields)
    read = await api.get(f"/api/v1/activities/{created['id']}", headers=kim.headers)

    assert read.json() == created
    assert created["started_at"] == "2026-11-21T06:30:00Z"
    del fields["started_at"]
    assert {name: created[name] for name in fields} == fields
    assert created["photos"] == []


async def test_omitted_optional_fields_are_null(api: httpx.AsyncClient, kim: Person) -> None:
    created = await create_activity(api, kim)

    assert (created["distance_m"], created["calories"], created["notes"]) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "flight"),
        ("type", None),
        ("started_at", "2026-11-21T07:30:00"),
        ("started_at", "9999-12-31T23:59:59Z"),
        ("started_at", "9999-12-31T23:59:59-14:00"),
        ("started_at", "1969-12-31T23:59:59Z"),
        ("started_at", "0001-01-01T00:00:00+14:00"),
        ("started_at", "yesterday"),
        ("started_at", 1764000000),
        ("duration_s", -1),
        ("duration_s", 0),
        ("duration_s", 604801),
        ("duration_s", 2.5),
        ("duration_s", "60"),
        ("duration_s", True),
        ("duration_s", None),
        ("distance_m", -0.5),
        ("distance_m", "NaN"),
        ("distance_m", 1e9),
        ("calories", -1),
        ("calories", 10**12),
        ("notes", "x" * 5001),
        ("notes", "a NUL \0"),
        ("notes", 5),
        ("speed", 5),
        ("id", "00000000-0000-0000-0000-000000000000"),
        ("user_id", "00000000-0000-0000-0000-000000000000"),
    ],
)
async def test_error_names_the_invalid_field(
    api: httpx.AsyncClient, kim: Person, field: str, value: Any
) -> None:
    created = await create_activity(api, kim)

    create = await api.post("/api/v1/activities", json={**RUN, field: value}, headers=kim.headers)
    change = await api.patch(
        f"/api/v1/activities/{created['id']}", json={field: value}, headers=kim.headers
    )

    for response in (create, change):
        assert response.status_code == 400, response.text
        assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await api.get("/api/v1/activities", headers=kim.headers)).json()["items"] == [created]


@pytest.mark.parametrize("field", ["type", "started_at", "duration_s"])
async def test_error_names_the_missing_field(
    api: httpx.AsyncClient, kim: Person, field: str
) -> None:
    body = {name: value for name, value in RUN.items() if name != field}

    response = await api.post("/api/v1/activities", json=body, headers=kim.headers)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
async def test_nan_and_infinity_are_refused(
    api: httpx.AsyncClient, kim: Person, number: str
) -> None:
    body = (
        '{"type": "run", "started_at": "2026-11-21T07:30:00Z", "duration_s": 1, "distance_m": %s}'
    )

    response = await api.post(
        "/api/v1/activities",
        content=body % number,
        headers={**kim.headers, "Content-Type": "application/json"},
    )

    assert response.status_code == 400


async def test_activity_may_start_up_to_a_day_from_now(
    api: httpx.AsyncClient, kim: Person, wall_clock: WallClock
) -> None:
    wall_clock.fixed_at = at("2027-12-31 12:00")
    await create_activity(api, kim, started_at="2028-01-01T12:00:00Z")

    body = {**RUN, "started_at": "2028-01-01T12:00:01Z"}
    response = await api.post("/api/v1/activities", json=body, headers=kim.headers)

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "field": "started_at",
            "detail": "An activity cannot start more than a day in the future.",
        }
    ]


async def test_patch_clears_null_fields_and_keeps_absent_ones(
    api: httpx.AsyncClient, kim: Person
) -> None:
    created = await create_activity(api, kim, distance_m=8400, calories=610, notes="Frost")

    response = await api.patch(
        f"/api/v1/activities/{created['id']}",
        json={"notes": None, "duration_s": 60},
        headers=kim.headers,
    )

    changed = response.json()
    before, after = (
        datetime.fromisoformat(activity.pop("updated_at")) for activity in (created, changed)
    )
    assert before < after
    assert changed == {**created, "notes": None, "duration_s": 60}


async def test_deleted_activity_is_not_found(
    api: httpx.AsyncClient, kim: Person, database: Database
) -> None:
    path = f"/api/v1/activities/{(await create_activity(api, kim))['id']}"

    assert (await api.delete(path, headers=kim.headers)).status_code == 204

    for method in ("GET", "PATCH", "DELETE"):
        json: dict[str, str] | None = {} if method == "PATCH" else None
        response = await api.request(method, path, json=json, headers=kim.headers)
        assert response.status_code == 404, method
    assert (await api.get("/api/v1/activities", headers=kim.headers)).json()["items"] == []
    assert await database.fetchval("select deleted_at is not null from activities")


async def test_activity_of_another_user_is_not_found(
    api: httpx.AsyncClient, kim: Person, sam: Person
) -> None:
    created = await create_activity(api, kim)
    path = f"/api/v1/activities/{created['id']}"

    theirs = [
        await api.get(path, headers=sam.headers),
        await api.patch(path, json={"notes": "mine"}, headers=sam.headers),
        await api.delete(path, headers=sam.headers),
    ]
    nobodys = await api.get(f"/api/v1/activities/{uuid4()}", headers=sam.headers)

    for response in theirs:
        assert response.status_code == 404
        assert response.json() == nobodys.json()
    assert (await api.get(path, headers=kim.headers)).json() == created
    assert (await api.get("/api/v1/activities", headers=sam.headers)).json()["items"] == []


async def test_repeated_idempotency_key_creates_one_activity(
    api: httpx.AsyncClient, kim: Person
) -> None:
    headers = {**kim.headers, "Idempotency-Key": "my run"}

    responses = [await api.post("/api/v1/activities", json=RUN, headers=headers) for _ in range(2)]

    assert [response.status_code for response in responses] == [201, 201]
    assert responses[0].json() == responses[1].json()
    listed = (await api.get("/api/v1/activities", headers=kim.headers)).json()["items"]
    assert len(listed) == 1
