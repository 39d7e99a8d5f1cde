"""Totals by day and by week over HTTP."""

from __future__ import annotations

import httpx
import pytest

from app.postgres.database import Database
from tests.support.many_users import add_run
from tests.support.moments import at
from tests.support.people import person
from tests.support.wall_clock import WallClock


async def test_week_runs_from_monday_to_sunday_and_lists_its_days(
    api: httpx.AsyncClient, database: Database
) -> None:
    kim, sam = await person(database, "kim"), await person(database, "sam")
    for moment in ("2026-11-15 23:59", "2026-11-16 00:00", "2026-11-22 23:59", "2026-11-23 00:00"):
        await add_run(database, kim.id, at(moment))
    await add_run(database, sam.id, at("2026-11-17 12:00"))

    response = await api.get("/api/v1/stats/weekly?week=2026-W47", headers=kim.headers)

    week = response.json()
    assert (200, 7) == (response.status_code, len(week["days"]))
    assert week["days"][0] == {
        "day": "2026-11-16",
        "activities": 1,
        "distance_m": 5000.0,
        "duration_s": 1800,
        "calories": 300,
    }
    del week["days"]
    assert week == {
        "week": "2026-W47",
        "first_day": "2026-11-16",
        "last_day": "2026-11-22",
        "activities": 2,
        "distance_m": 10000.0,
        "duration_s": 3600,
        "calories": 600,
    }


async def test_week_that_crosses_a_year_boundary_is_one_week(
    api: httpx.AsyncClient, database: Database
) -> None:
    kim = await person(database, "kim")
    for moment in ("2026-12-28 00:00", "2026-12-31 23:59", "2027-01-01 00:00", "2027-01-03 23:59"):
        await add_run(database, kim.id, at(moment))
    response = await api.get("/api/v1/stats/weekly?week=2026-W53", headers=kim.headers)
    week = response.json()
    assert ("2026-12-28", "2027-01-03", 4) == (
        week["first_day"],
        week["last_day"],
        week["activities"],
    )


@pytest.mark.parametrize(
    ("now", "week", "activities"),
    [
        ("2026-12-27 23:59:59", "2026-W52", 0),
        ("2026-12-28 00:00:00", "2026-W53", 1),
        ("2027-01-03 23:59:59", "2026-W53", 1),
        ("2027-01-04 00:00:00", "2027-W01", 0),
    ],
)
async def test_week_defaults_to_the_current_week_including_today(
    api: httpx.AsyncClient,
    database: Database,
    wall_clock: WallClock,
    now: str,
    week: str,
    activities: int,
) -> None:
    kim = await person(database, "kim")
    await add_run(database, kim.id, at("2027-01-03 20:00"))
    wall_clock.fixed_at = at(now)
    response = await api.get("/api/v1/stats/weekly", headers=kim.headers)
    assert (week, activities) == (response.json()["week"], response.json()["activities"])


async def test_every_day_is_listed_even_without_activities(
    api: httpx.AsyncClient, database: Database
) -> None:
    kim = await person(database, "kim")
    await add_run(database, kim.id, at("2028-02-29 12:00"))
    response = await api.get(
        "/api/v1/stats/daily?from=2028-02-28&to=2028-03-01", headers=kim.headers
    )
    days = response.json()
    assert None is days["next_cursor"]
    assert [("2028-02-28", 0), ("2028-02-29", 1), ("2028-03-01", 0)] == [
        (day["day"], day["activities"]) for day in days["items"]
    ]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("weekly?week=2026-W54", 400),
        ("weekly?week=2027-W53", 400),
        ("weekly?week=2026-47", 400),
        ("weekly?week=", 400),
        ("weekly?week=0000-W01", 400),
        ("weekly?week=9999-W52", 400),
        ("weekly?week=9998-W52", 200),
        ("weekly?week=1970-W01", 400),  # the week begins in 1969
        ("weekly?week=1970-W02", 200),
        ("daily?from=2026-01-01", 400),
        ("daily?from=2026-01-02&to=2026-01-01", 400),
        ("daily?from=2026-01-01&to=2027-01-02", 400),
        ("daily?from=2028-01-01&to=2028-12-31", 200),
        ("daily?from=0001-01-01&to=0001-01-02", 400),
        ("daily?from=9999-12-31&to=9999-12-31", 400),
        ("daily?from=yesterday&to=2026-01-01", 400),
    ],
)
async def test_only_valid_periods_are_accepted(
    api: httpx.AsyncClient, database: Database, query: str, status: int
) -> None:
    kim = await person(database, "kim")
    response = await api.get(f"/api/v1/stats/{query}", headers=kim.headers)
    assert status == response.status_code, response.text
