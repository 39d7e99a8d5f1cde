"""The demo data for `just up`."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from app.embedded.application import ADA, GRACE
from app.embedded.demo import load
from app.embedded.inbox import Inbox
from app.postgres.database import Database
from app.resources import Resources
from app.stats import daily_totals
from tests.support.schedules import run_schedule
from tests.support.working import RunJobs

JOBS = """
select u.email, j.kind, j.payload::jsonb - 'user_id' as about
from jobs as j join users as u on u.id = j.user_id
order by u.email, j.kind, about desc
"""


async def today(database: Database) -> date:
    day: date = await database.fetchval("select (now() at time zone 'utc')::date")
    return day


async def rows(database: Database, sql: str, *args: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.fetch(sql, *args)]


@pytest.mark.parametrize(
    ("day", "saturday", "months"),
    [
        ("2026-11-26", "2026-11-21", ("2026-10-01", "2026-09-01", "2026-08-01")),
        ("2026-11-28", "2026-11-21", ("2026-10-01", "2026-09-01", "2026-08-01")),
        ("2026-11-29", "2026-11-28", ("2026-10-01", "2026-09-01", "2026-08-01")),
        ("2027-01-31", "2027-01-30", ("2026-12-01", "2026-11-01", "2026-10-01")),
        ("2027-03-01", "2027-02-27", ("2027-02-01", "2027-01-01", "2026-12-01")),
    ],
)
async def test_jobs_are_enqueued_for_the_last_three_complete_months_and_the_last_complete_week(
    database: Database, database_url: str, day: str, saturday: str, months: tuple[str, ...]
) -> None:
    await load(database_url, date.fromisoformat(day))

    expected = [
        (email, kind, about)
        for email in (ADA.email, GRACE.email)
        for kind, about in [
            ("email:weekly_summary", f'{{"saturday": "{saturday}"}}'),
            *(("report:generate", f'{{"month": "{month}"}}') for month in months),
        ]
    ]
    assert expected == await rows(database, JOBS)


async def test_demo_users_have_one_activity_on_each_of_the_eight_days_before_today_and_none_later(
    database: Database, database_url: str
) -> None:
    now = await today(database)
    await load(database_url, now)

    found = await rows(
        database,
        "select u.email, (a.started_at at time zone 'utc')::date, count(*)"
        " from activities as a join users as u on u.id = a.user_id"
        " where a.started_at >= ($1::date - 8)::timestamp at time zone 'utc'"
        " group by 1, 2 order by 1, 2",
        now,
    )

    days = [now - timedelta(days=back) for back in range(8, 0, -1)]
    assert [(account.email, day, 1) for account in (ADA, GRACE) for day in days] == found


async def test_daily_stats_of_the_demo_data_are_unchanged_by_the_next_run_of_the_schedule(
    database: Database, database_url: str, resources: Resources
) -> None:
    now = await today(database)
    yesterday = now - timedelta(days=1)
    # Yesterday's statistics already exist, as in a database that has been in use for a while.
    await run_schedule(resources, "stats:daily", str(yesterday))

    await load(database_url, now)
    # Generating the reports would take too long.
    await database.execute("delete from jobs where state = 'queued'")
    ada = await database.fetchval("select id from users where email = $1", ADA.email)
    before = await daily_totals.read(database, ada, now - timedelta(days=8), yesterday)
    counted = await run_schedule(resources, "stats:daily", str(yesterday))

    assert [day.activities for day in before] == [1] * 8
    assert before == await daily_totals.read(database, ada, now - timedelta(days=8), yesterday)
    assert counted.counts is not None
    assert (counted.counts["users"], counted.counts["activities"]) == (2, 2)


async def test_demo_reports_and_emails_are_not_repeated_when_the_data_is_loaded_again(
    database: Database, database_url: str, run_jobs: RunJobs, inbox: Inbox
) -> None:
    now = await today(database)
    await load(database_url, now)
    await run_jobs()

    await load(database_url, now)
    await load(database_url, now + timedelta(days=40))
    await run_jobs()

    assert [(3, True), (3, True)] == await rows(
        database, "select count(*), min(size_bytes) > 5000 from reports group by user_id"
    )
    sent = sorted((email.to, email.subject) for email in inbox.emails())
    assert [(ADA.email,)] * 4 + [(GRACE.email,)] * 4 == [to for to, _ in sent]
    assert len(set(sent)) == 8
