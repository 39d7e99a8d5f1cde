"""Lists of activities over HTTP: filters and paging."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.postgres.database import Database
from app.postgres.statements import STATEMENTS
from tests.support.owner import execute_as_owner
from tests.support.people import Person, person


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def list_page(api: httpx.AsyncClient, user: Person, **query: Any) -> dict[str, Any]:
    response = await api.get("/api/v1/activities", params=query, headers=user.headers)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def add_activities(
    database: Database, user: Person, *instants: str, type: str = "run"
) -> None:
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s)"
        " select $1, $2, instant::timestamptz, 60 from unnest($3::text[]) as instant",
        user.id,
        type,
        instants,
    )


async def test_range_includes_its_first_and_last_days_in_utc(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    edges = ["2026-11-01T00:00:00Z", "2026-11-02T23:59:59.999999Z"]
    await add_activities(
        database, kim, "2026-10-31T23:59:59.999999Z", *edges, "2026-11-03T00:00:00Z"
    )

    page = await list_page(api, kim, **{"from": "2026-11-01", "to": "2026-11-02"})

    assert [item["started_at"] for item in page["items"]] == edges[::-1]


async def test_list_is_filtered_by_type(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    await add_activities(database, kim, "2026-11-01T00:00:00Z")
    await add_activities(database, kim, "2026-11-02T00:00:00Z", type="swim")

    page = await list_page(api, kim, type="swim")

    assert [item["type"] for item in page["items"]] == ["swim"]


async def test_latest_possible_day_is_accepted(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    await add_activities(database, kim, "2026-11-01T00:00:00Z")

    assert len((await list_page(api, kim, to="9999-12-31"))["items"]) == 1
    assert (await list_page(api, kim, **{"from": "9999-12-31"}))["items"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", "2026-02-30"),
        ("from", "yesterday"),
        ("to", "5"),
        ("to", "10000-01-01"),
        ("type", "flight"),
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "many"),
        ("cursor", "not a cursor"),
        ("cursor", "WyJhIiwiYiJd"),
    ],
)
async def test_error_names_the_invalid_parameter(
    api: httpx.AsyncClient, kim: Person, name: str, value: str
) -> None:
    response = await api.get("/api/v1/activities", params={name: value}, headers=kim.headers)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [name]


async def test_last_day_before_the_first_day_is_refused(
    api: httpx.AsyncClient, kim: Person
) -> None:
    query = {"from": "2026-11-02", "to": "2026-11-01"}

    response = await api.get("/api/v1/activities", params=query, headers=kim.headers)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["to"]


async def test_pages_have_no_gaps_or_repeats_while_activities_are_added(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    """Read 500 activities, up to seven of which start at the same instant, in pages of 33."""
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s)"
        " select $1, 'run', '2026-01-01Z'::timestamptz + interval '1 hour' * (n / 7), 60"
        " from generate_series(1, 500) as n",
        kim.id,
    )
    before = await database.fetch("select id from activities order by started_at desc, id desc")
    seen: list[str] = []
    cursor: str | None = None

    while True:
        page = await list_page(api, kim, limit=33, **({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in page["items"]]
        await add_activities(database, kim, "2026-11-01T00:00:00Z")
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == [str(row["id"]) for row in before]


async def test_full_last_page_has_no_next_cursor(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    await add_activities(database, kim, "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")

    page = await list_page(api, kim, limit=2)

    assert (len(page["items"]), page["next_cursor"]) == (2, None)


async def test_page_is_read_in_index_order(database: Database, kim: Person) -> None:
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s)"
        " select $1, 'run', '2026-01-01Z'::timestamptz + interval '1 hour' * n, 60"
        " from generate_series(1, 5000) as n",
        kim.id,
    )
    await execute_as_owner(database, "analyze activities")
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local plan_cache_mode = force_generic_plan")
        sql = STATEMENTS["activities.list_activities"].sql
        await connection.execute(f"prepare a_page as {sql}")
        plan = await connection.fetch(
            f"explain execute a_page('{kim.id}', null, null, null, null, null, 50)"
        )
        await connection.execute("deallocate a_page")

    text = "\n".join(row[0] for row in plan)
    assert "activities_newest_first" in text
    assert "Sort" not in text.partition("SubPlan")[0]
