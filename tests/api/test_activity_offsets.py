"""The UTC offset that is stored with an activity."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import pytest

from app.postgres.database import Database
from tests.support.people import Person, person

pytestmark = pytest.mark.usefixtures("in_november")

RUN = {"type": "run", "duration_s": 2700}


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def create_activity(api: httpx.AsyncClient, user: Person, started_at: str) -> dict[str, Any]:
    response = await api.post(
        "/api/v1/activities", json={**RUN, "started_at": started_at}, headers=user.headers
    )
    assert response.status_code == 201, response.text
    return dict(response.json())


async def stored_offset(database: Database) -> int | None:
    offset: int | None = await database.fetchval("select utc_offset_minutes from activities")
    return offset


@pytest.mark.parametrize(
    ("started_at", "minutes"),
    [
        ("2026-11-21T07:30:00+01:00", 60),
        ("2026-11-21T07:30:00-03:30", -210),
        ("2026-11-21T07:30:00+05:45", 345),
        ("2026-11-21T07:30:00+14:00", 840),
        ("2026-11-21T07:30:00-12:00", -720),
        ("2026-11-21T07:30:00+00:00", 0),
        ("2026-11-21T07:30:00-00:00", None),
        ("2026-11-21T07:30:00Z", None),
        ("2026-11-21t07:30:00z", None),
    ],
)
async def test_stored_offset_is_the_given_offset_or_null_if_unknown(
    api: httpx.AsyncClient,
    kim: Person,
    database: Database,
    started_at: str,
    minutes: int | None,
) -> None:
    created = await create_activity(api, kim, started_at)
    assert await stored_offset(database) == minutes

    await database.execute("update activities set utc_offset_minutes = 5")
    path = f"/api/v1/activities/{created['id']}"
    response = await api.patch(path, json={"started_at": started_at}, headers=kim.headers)

    assert await stored_offset(database) == minutes
    assert response.json()["started_at"] == created["started_at"]
    assert created["started_at"].endswith("Z")


async def test_offset_is_kept_when_the_start_is_not_changed(
    api: httpx.AsyncClient, kim: Person, database: Database
) -> None:
    created = await create_activity(api, kim, "2026-11-21T07:30:00+01:00")

    response = await api.patch(
        f"/api/v1/activities/{created['id']}", json={"notes": "Frost"}, headers=kim.headers
    )

    assert response.status_code == 200
    assert await stored_offset(database) == 60


@pytest.mark.parametrize("offset", ["+14:01", "-12:01", "+23:59"])
async def test_impossible_offset_is_refused(
    api: httpx.AsyncClient, kim: Person, database: Database, offset: str
) -> None:
    created = await create_activity(api, kim, "2026-11-21T07:30:00+01:00")
    wrong = {"started_at": f"2026-11-21T07:30:00{offset}"}

    responses = [
        await api.post("/api/v1/activities", json={**RUN, **wrong}, headers=kim.headers),
        await api.patch(f"/api/v1/activities/{created['id']}", json=wrong, headers=kim.headers),
    ]

    for response in responses:
        assert response.status_code == 400
        assert response.json()["errors"] == [
            {"field": "started_at", "detail": "The UTC offset must be between -12:00 and +14:00."}
        ]
    assert await stored_offset(database) == 60


async def test_database_refuses_an_impossible_offset(
    api: httpx.AsyncClient, kim: Person, database: Database
) -> None:
    await create_activity(api, kim, "2026-11-21T07:30:00+01:00")

    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute("update activities set utc_offset_minutes = 841")


async def test_local_time_can_be_computed_from_the_stored_offset(
    api: httpx.AsyncClient, kim: Person, database: Database
) -> None:
    await create_activity(api, kim, "2026-11-21T23:30:00-05:00")

    local = await database.fetchval(
        "select started_at at time zone make_interval(mins => utc_offset_minutes) from activities"
    )

    assert str(local) == "2026-11-21 23:30:00"
