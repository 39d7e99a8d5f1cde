"""Lists of activities over HTTP: their filters and their pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.postgres.database import Database
from app.postgres.statements import STATEMENTS
from tests.support.people import Person, person


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def listed(api: httpx.AsyncClient, who: Person, **query: Any) -> dict[str, Any]:
    answer = await api.get("/api/v1/activities", params=query, headers=who.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def started(database: Database, who: Person, *instants: str, type: str = "run") -> None:
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s)"
        " select $1, $2, instant::timestamptz, 60 from unnest($3::text[]) as instant",
        who.id,
        type,
        instants,
    )


async def test_the_days_are_of_utc_and_both_are_included(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    edges = ["2026-11-01T00:00:00Z", "2026-11-02T23:59:59.999999Z"]
    await started(database, kim, "2026-10-31T23:59:59.999999Z", *edges, "2026-11-03T00:00:00Z")

    page = await listed(api, kim, **{"from": "2026-11-01", "to": "2026-11-02"})

    assert [item["started_at"] for item in page["items"]] == edges[::-1]


async def test_one_type_is_listed(api: httpx.AsyncClient, database: Database, kim: Person) -> None:
    await started(database, kim, "2026-11-01T00:00:00Z")
    await started(database, kim, "2026-11-02T00:00:00Z", type="swim")

    page = await listed(api, kim, type="swim")

    assert [item["type"] for item in page["items"]] == ["swim"]


async def test_the_last_day_of_all_is_a_day(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    await started(database, kim, "2026-11-01T00:00:00Z")

    assert len((await listed(api, kim, to="9999-12-31"))["items"]) == 1
    assert (await listed(api, kim, **{"from": "9999-12-31"}))["items"] == []


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
async def test_a_wrong_filter_is_named(
    api: httpx.AsyncClient, kim: Person, name: str, value: str
) -> None:
    answer = await api.get("/api/v1/activities", params={name: value}, headers=kim.headers)

    assert answer.status_code == 400
    assert [part["field"] for part in answer.json()["errors"]] == [name]


async def test_a_last_day_before_the_first_is_refused(api: httpx.AsyncClient, kim: Person) -> None:
    query = {"from": "2026-11-02", "to": "2026-11-01"}

    answer = await api.get("/api/v1/activities", params=query, headers=kim.headers)

    assert answer.status_code == 400
    assert [part["field"] for part in answer.json()["errors"]] == ["to"]


async def test_pages_have_no_gap_and_no_repeat_while_activities_are_added(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    """500 activities, many of which start at the same instant."""
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
        page = await listed(api, kim, limit=33, **({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in page["items"]]
        await started(database, kim, "2026-11-01T00:00:00Z")
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == [str(row["id"]) for row in before]


async def test_a_full_last_page_has_no_next(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    await started(database, kim, "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")

    page = await listed(api, kim, limit=2)

    assert (len(page["items"]), page["next_cursor"]) == (2, None)


async def test_a_page_is_read_from_the_index_in_its_order(database: Database, kim: Person) -> None:
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s)"
        " select $1, 'run', '2026-01-01Z'::timestamptz + interval '1 hour' * n, 60"
        " from generate_series(1, 5000) as n",
        kim.id,
    )
    await database.execute("analyze activities")
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
