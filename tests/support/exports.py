"""Helpers that add many activities and request exports."""

from __future__ import annotations

from typing import Any

import httpx

from app.postgres.database import Database
from app.users.user import UserId
from tests.support.people import Person

CSV = "/api/v1/export/activities/csv"
EXPORT = "/api/v1/export"

INSERT_ACTIVITIES = """
insert into activities (user_id, type, started_at, duration_s, distance_m, calories, notes)
select
    $1, (array['run', 'ride', 'swim', 'walk'])[1 + n % 4],
    '2020-01-01 06:00+00'::timestamptz + interval '20 minutes' * n, 600 + n % 5400,
    1000 + n % 20000, 100 + n % 900,
    case when n % 3 = 0 then 'Along the river, number ' || n || '.' end
from generate_series($2::int, $3::int) as n
"""
SLICE = 100_000
"""The number of activities per insert statement."""


async def add_activities(database: Database, user_id: UserId, count: int) -> None:
    """Add activities, one every 20 minutes from 2020 on. Each makes about 40 bytes of CSV."""
    for first in range(1, count + 1, SLICE):
        await database.execute(INSERT_ACTIVITIES, user_id, first, min(count, first + SLICE - 1))


async def add_megabytes(database: Database, user_id: UserId, count: int) -> None:
    """Add activities that make about `count` MB of CSV: 200 activities per MB."""
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s, notes)"
        " select $1, 'hike', '2020-01-01'::timestamptz + interval '1 hour' * n, 3600,"
        " repeat('River and hill. ', 312) from generate_series(1, $2::int) as n",
        user_id,
        count * 200,
    )


async def request_export(
    api: httpx.AsyncClient, who: Person, format: str = "csv", **filters: Any
) -> dict[str, Any]:
    """Request an export, and return the API's response."""
    body = {"format": format, **filters}
    answer = await api.post(f"{EXPORT}/request", json=body, headers=who.headers)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def export_status(api: httpx.AsyncClient, who: Person, export_id: str) -> dict[str, Any]:
    answer = await api.get(f"{EXPORT}/{export_id}/status", headers=who.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
