"""Daily statistics, and how they stay correct after changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.activities import activities
from app.activities.activity import ActivityId, Changes, Entry
from app.postgres.database import Database
from app.resources import Resources
from app.stats import daily_totals, statements
from app.stats.totals import DayTotals
from app.users.user import UserId
from tests.support.locks import wait_for_blocked_transaction
from tests.support.many_users import add_run, add_users
from tests.support.moments import at
from tests.support.people import Person, person
from tests.support.schedules import run_schedule

MARGIN = timedelta(minutes=10)
"""A day counts as over this long before midnight, as in `activities.sql`."""


async def daily_stats(database: Database) -> list[tuple[Any, ...]]:
    rows = await database.fetch(
        "select day, activities, distance_m, duration_s, calories from daily_stats"
        " order by day, user_id"
    )
    return [(str(row["day"]), *list(row)[1:]) for row in rows]


async def totals_of_days(
    database: Database, user_id: UserId, *days: str
) -> list[tuple[int, float]]:
    first, last = (date.fromisoformat(day) for day in (days[0], days[-1]))
    days_found = await daily_totals.read(database, user_id, first, last)
    return [(day.activities, day.distance_m) for day in days_found]


async def record_runs(
    database: Database, user_id: UserId, *moments: datetime, metres: float = 5000
) -> Sequence[ActivityId]:
    """Record activities with the use case, as entry points do, and return their ids."""
    ids = []
    for moment in moments:
        async with database.transaction() as tx:
            entry = Entry("run", moment, 1800, metres)
            ids.append((await activities.record(tx, user_id, entry, now=datetime.now(UTC))).id)
    return ids


async def stale_days(database: Database) -> list[str]:
    rows = await database.fetch("select distinct day from stale_days order by day")
    return [str(row["day"]) for row in rows]


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def test_day_is_counted_in_utc_without_deleted_activities(
    database: Database, resources: Resources
) -> None:
    kim, sam = await add_users(database, 2)
    for moment in ("2026-02-27 23:59:59.999", "2026-02-28 00:00", "2026-02-28 23:59:59.999"):
        await add_run(database, kim, at(moment))
    await add_run(database, kim, at("2026-03-01 00:00"))
    gone = await add_run(database, sam, at("2026-02-28 12:00"))
    await database.execute("update activities set deleted_at = now() where id = $1", gone)

    run = await run_schedule(resources, "stats:daily", "2026-02-28")

    assert [("2026-02-28", 2, 10000, 3600, 600)] == await daily_stats(database)
    assert ("done", {"users": 1, "activities": 2, "recounted": 0}) == (run.state, run.counts)


async def test_counting_a_day_again_changes_nothing_unless_its_activities_changed(
    database: Database, resources: Resources
) -> None:
    kim, sam = await add_users(database, 2)
    runs = [await add_run(database, user, at("2026-02-28 12:00")) for user in (kim, sam)]
    for _ in range(2):
        await run_schedule(resources, "stats:daily", "2026-02-28")
        assert [("2026-02-28", 1, 5000, 1800, 300)] * 2 == await daily_stats(database)
    await database.execute("update activities set deleted_at = now() where id = $1", runs[0])
    await run_schedule(resources, "stats:daily", "2026-02-28")
    assert [("2026-02-28", 1, 5000, 1800, 300)] == await daily_stats(database)


@pytest.mark.parametrize("day", ["2026-12-31", "2027-01-01", "2028-02-29", "2028-03-01"])
async def test_days_around_new_year_and_leap_day_are_counted(database: Database, day: str) -> None:
    (kim,) = await add_users(database, 1)
    await add_run(database, kim, at(f"{day} 00:00"))
    await add_run(database, kim, at(f"{day} 23:59"))
    async with database.transaction() as tx:
        await statements.count_day(tx, day=date.fromisoformat(day))
    assert [(day, 2, 10000, 3600, 600)] == await daily_stats(database)


async def test_totals_of_an_uncounted_day_are_read_from_its_activities(
    database: Database, resources: Resources, kim: Person
) -> None:
    days = ("2026-10-30", "2026-10-31", "2026-11-01")
    for day in days:
        await add_run(database, kim.id, at(f"{day} 12:00"))
    # As at 00:00 on 1 November, when 31 October is not counted yet.
    await run_schedule(resources, "stats:daily", days[0])
    await database.execute("update daily_stats set distance_m = 1")
    assert [(1, 1), (1, 5000), (1, 5000)] == await totals_of_days(database, kim.id, *days)


async def test_totals_of_a_day_with_a_failed_count_are_read_from_its_activities(
    database: Database, resources: Resources, kim: Person
) -> None:
    await add_run(database, kim.id, at("2026-10-30 12:00"))
    await run_schedule(resources, "stats:daily", "2026-10-30")
    await database.execute("update daily_stats set distance_m = 1")
    await database.execute("update schedule_runs set state = 'dead'")
    assert [(1, 5000)] == await totals_of_days(database, kim.id, "2026-10-30")


async def test_change_to_a_counted_day_is_visible_at_once_and_the_day_is_recounted(
    database: Database, resources: Resources, kim: Person
) -> None:
    first, second = at("2026-10-30 12:00"), at("2026-10-31 12:00")
    for day in ("2026-10-30", "2026-10-31"):
        await run_schedule(resources, "stats:daily", day)
    days = ("2026-10-30", "2026-10-31")
    recount = [await run_schedule(resources, "stats:recount")]
    created, kept = await record_runs(database, kim.id, first, second)
    assert [(1, 5000), (1, 5000)] == await totals_of_days(database, kim.id, *days)

    recount.append(await run_schedule(resources, "stats:recount"))
    assert [
        ("2026-10-30", 1, 5000, 1800, 0),
        ("2026-10-31", 1, 5000, 1800, 0),
    ] == await daily_stats(database)
    async with database.transaction() as tx:
        moved = Changes(started_at=second, distance_m=7000)
        await activities.change(tx, kim.id, created, moved, now=datetime.now(UTC))
    assert [(0, 0), (2, 12000)] == await totals_of_days(database, kim.id, *days)
    assert list(days) == await stale_days(database)

    recount.append(await run_schedule(resources, "stats:recount"))
    assert [("2026-10-31", 2, 12000, 3600, 0)] == await daily_stats(database)
    async with database.transaction() as tx:
        await activities.delete(tx, kim.id, kept)
    assert [(0, 0), (1, 7000)] == await totals_of_days(database, kim.id, *days)

    recount.append(await run_schedule(resources, "stats:recount"))
    assert [("2026-10-31", 1, 7000, 1800, 0)] == await daily_stats(database)
    assert [{"recounted": n} for n in (0, 2, 2, 1)] == [run.counts for run in recount]
    assert [] == await stale_days(database)


async def test_nightly_count_recounts_stale_days(
    database: Database, resources: Resources, kim: Person
) -> None:
    await record_runs(database, kim.id, at("2025-01-01 12:00"))
    run = await run_schedule(resources, "stats:daily")
    assert 1 == run.counts["recounted"]
    assert [("2025-01-01", 1, 5000, 1800, 0)] == await daily_stats(database)


async def test_new_activity_makes_a_past_day_stale_but_not_today(
    database: Database, kim: Person
) -> None:
    async with database.transaction() as tx:
        now = await tx.fetchval("select now()")  # constant within a transaction
        midnight = (now + MARGIN).replace(hour=0, minute=0, second=0, microsecond=0)
        for moment in (midnight - timedelta.resolution, midnight, midnight + timedelta(hours=23)):
            await activities.record(tx, kim.id, Entry("run", moment, 1800), now=now)
    assert [str(midnight.date() - timedelta(days=1))] == await stale_days(database)


async def test_days_changed_during_a_recount_stay_stale(database: Database, kim: Person) -> None:
    """A change that commits after a recount has begun is left for the next recount."""
    await record_runs(database, kim.id, at("2026-10-30 12:00"))
    async with database.transaction() as late:
        await activities.record(
            late, kim.id, Entry("run", at("2026-10-30 13:00"), 1800), now=datetime.now(UTC)
        )
        async with database.transaction() as tx:
            assert 1 == await statements.recount_stale(tx, limit=100)
    assert ["2026-10-30"] == await stale_days(database)
    async with database.transaction() as tx:
        assert 1 == await statements.recount_stale(tx, limit=100)
    assert [("2026-10-30", 2, 5000, 3600, 0)] == await daily_stats(database)


async def test_only_one_transaction_at_a_time_counts_days(database: Database) -> None:
    async def lock() -> None:
        async with database.transaction() as tx:
            await statements.lock_day_counts(tx)

    async with database.transaction() as tx:
        await statements.lock_day_counts(tx)
        second = asyncio.create_task(lock())
        await wait_for_blocked_transaction(database)
        assert not second.done()
    await second


async def test_days_without_activities_have_zero_totals(database: Database, kim: Person) -> None:
    found = await daily_totals.read(database, kim.id, date(2026, 1, 1), date(2026, 1, 1))
    assert [DayTotals(date(2026, 1, 1), 0, 0, 0, 0)] == found


async def test_activity_recorded_through_the_api_makes_its_day_stale(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    entry = {"type": "run", "started_at": "2026-10-31T00:30:00+01:00", "duration_s": 60}
    response = await api.post("/api/v1/activities", json=entry, headers=kim.headers)
    assert 201 == response.status_code
    assert ["2026-10-30"] == await stale_days(database)
