"""The UTC offset that an activity is recorded with."""

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


async def recorded(api: httpx.AsyncClient, who: Person, started_at: str) -> dict[str, Any]:
    answer = await api.post(
        "/api/v1/activities", json={**RUN, "started_at": started_at}, headers=who.headers
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def stored(database: Database) -> int | None:
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
async def test_offset_is_stored_as_written(
    api: httpx.AsyncClient,
    kim: Person,
    database: Database,
    started_at: str,
    minutes: int | None,
) -> None:
    made = await recorded(api, kim, started_at)
    assert await stored(database) == minutes

    await database.execute("update activities set utc_offset_minutes = 5")
    path = f"/api/v1/activities/{made['id']}"
    answer = await api.patch(path, json={"started_at": started_at}, headers=kim.headers)

    assert await stored(database) == minutes
    assert answer.json()["started_at"] == made["started_at"]
    assert made["started_at"].endswith("Z")


async def test_offset_stays_when_the_start_is_not_changed(
    api: httpx.AsyncClient, kim: Person, database: Database
) -> None:
    made = await recorded(api, kim, "2026-11-21T07:30:00+01:00")

    answer = await api.patch(
        f"/api/v1/activities/{made['id']}", json={"notes": "Frost"}, headers=kim.headers
    )

    assert answer.status_code == 200
    assert await stored(database) == 60


@pytest.mark.parametrize("offset", ["+14:01", "-12:01", "+23:59"])
async def test_offset_that_no_clock_has_is_refused(
    api: httpx.AsyncClient, kim: Person, database: Database, offset: str
) -> None:
    made = await recorded(api, kim, "2026-11-21T07:30:00+01:00")
    wrong = {"started_at": f"2026-11-21T07:30:00{offset}"}

    answers = [
        await api.post("/api/v1/activities", json={**RUN, **wrong}, headers=kim.headers),
        await api.patch(f"/api/v1/activities/{made['id']}", json=wrong, headers=kim.headers),
    ]

    for answer in answers:
        assert answer.status_code == 400
        assert answer.json()["errors"] == [
            {"field": "started_at", "detail": "The UTC offset must be between -12:00 and +14:00."}
        ]
    assert await stored(database) == 60


async def test_the_database_refuses_an_offset_that_no_clock_has(
    api: httpx.AsyncClient, kim: Person, database: Database
) -> None:
    await recorded(api, kim, "2026-11-21T07:30:00+01:00")

    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute("update activities set utc_offset_minutes = 841")


async def test_local_time_follows_from_the_stored_offset(
    api: httpx.AsyncClient, kim: Person, database: Database
) -> None:
    await recorded(api, kim, "2026-11-21T23:30:00-05:00")

    local = await database.fetchval(
        "select started_at at time zone make_interval(mins => utc_offset_minutes) from activities"
    )

    assert str(local) == "2026-11-21 23:30:00"
