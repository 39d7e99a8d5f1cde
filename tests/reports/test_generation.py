"""The creation, replacement and removal of monthly reports."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from app.embedded.inbox import Inbox
from app.errors import NotFound
from app.jobs import JobId, Run
from app.postgres.database import Database
from app.reports.jobs import create_report
from app.reports.report import key, last_day, month_before, parse_month
from app.resources import Resources
from app.s3 import Bucket
from tests.email.sending import attempt
from tests.pdf.reading import words
from tests.reports.months import (
    NOVEMBER,
    add_activity,
    confirmed_user,
    content,
    current_key,
    enqueue_report,
)
from tests.support.schedules import run_schedule
from tests.support.working import RunJobs


async def report_job(database: Database) -> JobId:
    return JobId(await database.fetchval("select id from jobs where kind = 'report:generate'"))


async def recorded(database: Database) -> list[tuple[Any, ...]]:
    rows = await database.fetch("select user_id, month, size_bytes from reports")
    return [tuple(row) for row in rows]


async def test_report_compares_its_month_with_the_previous_month(
    database: Database, bucket: Bucket, run_jobs: RunJobs
) -> None:
    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-01T00:00", notes="the first of it")
    await add_activity(database, ada.id, "2025-11-30T23:59:59.9", type="swim", metres=1500)
    await add_activity(database, ada.id, "2025-10-31T23:59", metres=4000)
    await add_activity(database, ada.id, "2025-12-01T00:00", notes="too late")
    await database.execute("update users set name = 'Ada 李小龍'")
    await enqueue_report(database, ada.id)
    await run_jobs()
    pdf = await content(database, bucket, ada.id)
    text = words(pdf)
    for expected in (
        "November 2025",
        "Ada 李小龍",
        "Active on 2 of 30 days",
        "Activities 2 1 in October",
        "Distance 11.5 km 4.0 km in October",
        "Time 2 h 00 min 1 h 00 min in October",
        "Energy 1,000 kcal 500 kcal in October",
        "Run 50% 1 activity · 10.0 km · 1 h 00 min",
        "1 Nov 2025 Run 1:00:00 10.00 500 the first of it",
        "30 Nov 2025 Swim 1:00:00 1.50 500",
    ):
        assert expected in text
    assert "too late" not in text
    assert [(ada.id, NOVEMBER, len(pdf))] == await recorded(database)


async def test_report_uses_the_stored_daily_totals(
    resources: Resources, database: Database, bucket: Bucket, run_jobs: RunJobs
) -> None:
    ada = await confirmed_user(database)
    await run_schedule(resources, "stats:daily", "2025-11-03")
    await add_activity(database, ada.id, "2025-11-03T10:00")
    await database.execute(
        "insert into daily_stats (user_id, day, activities, distance_m, duration_s, calories)"
        " values ($1, '2025-11-03', 1, 12000, 3600, 500)",
        ada.id,
    )
    await enqueue_report(database, ada.id)
    await run_jobs()
    assert "Distance 12.0 km" in words(await content(database, bucket, ada.id))


async def test_new_report_replaces_the_previous_one_without_a_second_email(
    database: Database, bucket: Bucket, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-03T10:00")
    for _ in range(3):
        await enqueue_report(database, ada.id)
        await run_jobs()
        await add_activity(database, ada.id, "2025-11-04T10:00")
    assert "Activities 3" in words(await content(database, bucket, ada.id))
    assert await current_key(database, ada.id) in await bucket.keys(f"reports/{ada.id}/")
    assert len(await recorded(database)) == 1
    assert len(inbox.emails()) == 1


async def test_report_is_removed_if_its_month_no_longer_has_activities(
    database: Database, bucket: Bucket, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-03T10:00")
    await enqueue_report(database, ada.id)
    await run_jobs()
    assert len(await recorded(database)) == len(inbox.emails()) == 1

    inbox.clear()
    await database.execute("update activities set deleted_at = now()")
    await enqueue_report(database, ada.id)
    await run_jobs()
    assert [] == await recorded(database)
    assert [] == await bucket.keys(f"reports/{ada.id}/")
    assert [] == inbox.emails()


DELETE_ACCOUNT = "update users set deleted_at = now()"


async def test_job_of_a_deleted_account_removes_the_objects_of_earlier_attempts(
    database: Database, bucket: Bucket, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-03T10:00")
    for object_id in (None, uuid4()):  # from earlier attempts
        await bucket.put(key(ada.id, NOVEMBER, object_id), b"%PDF", "application/pdf")
    await enqueue_report(database, ada.id)
    await database.execute(DELETE_ACCOUNT)
    await run_jobs()
    assert [] == await recorded(database)
    assert [] == await bucket.keys(f"reports/{ada.id}/")
    assert [] == inbox.emails()
    assert "done" == await database.fetchval("select state from jobs")


async def test_report_is_discarded_if_the_account_is_deleted_between_rendering_and_upload(
    database: Database, bucket: Bucket, inbox: Inbox, resources: Resources
) -> None:
    class AccountDeletedBeforeUpload(Run):
        async def assert_lease(self) -> None:
            """Delete the account between rendering and upload."""
            await super().assert_lease()
            await database.execute(DELETE_ACCOUNT)

    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-03T10:00")
    await enqueue_report(database, ada.id)
    run = await attempt(database, await report_job(database), AccountDeletedBeforeUpload)
    await create_report(run, bucket, resources.renderer, ada.id, NOVEMBER)
    assert [] == await recorded(database)
    assert [] == await bucket.keys(f"reports/{ada.id}/")
    assert ["report:generate"] == [
        row["kind"] for row in await database.fetch("select kind from jobs")
    ]


async def test_report_lists_only_the_first_thousand_activities(
    database: Database, bucket: Bucket, run_jobs: RunJobs
) -> None:
    ada = await confirmed_user(database)
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s)"
        " select $1, 'walk', '2025-11-01'::timestamptz + n * interval '10 minutes', 60"
        " from generate_series(1, 1003) as n",
        ada.id,
    )
    await enqueue_report(database, ada.id)
    await run_jobs()
    text = words(await content(database, bucket, ada.id))
    assert "Activities 1,003" in text
    assert "Activities not listed: 3." in text


def test_last_day_and_previous_month_are_right_in_leap_years_and_at_new_year() -> None:
    assert date(2024, 2, 29) == last_day(date(2024, 2, 1))
    assert date(2024, 12, 1) == month_before(date(2025, 1, 1))


def test_months_in_urls_are_parsed_strictly() -> None:
    assert date(2025, 2, 1) == parse_month("2025-02")
    for wrong in ("2025-13", "2025-2", "2025-02-01", "0000-01", "٢٠٢٦-٠٢", "", "../2025-02"):
        with pytest.raises(NotFound):
            parse_month(wrong)
