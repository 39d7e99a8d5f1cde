"""Reports for a month that has not ended: they say so, and no email is sent before it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from app import jobs
from app.embedded.inbox import Inbox
from app.jobs import JobId
from app.postgres.database import Database
from app.postgres.statements import Queryable
from app.reports.emails import SendReportReadyEmail
from app.reports.jobs import Clock, create_report, fan_out_reports
from app.resources import Resources
from tests.email.sending import attempt
from tests.pdf.reading import words
from tests.reports.months import NOVEMBER, add_activity, confirmed_user, content, enqueue_report
from tests.support.moments import at
from tests.support.people import Person
from tests.support.schedules import fixed_clock, trigger_run
from tests.support.working import RunJobs


@pytest.fixture
async def ada(database: Database) -> Person:
    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-03T10:00")
    return ada


async def create_report_at(resources: Resources, who: Person, clock: Clock) -> None:
    """Create the November report at the time that this clock shows."""
    database = resources.database
    await enqueue_report(database, who.id)
    job_id = await database.fetchval(
        "select id from jobs where kind = 'report:generate' and state = 'queued'"
    )
    run = await attempt(database, JobId(job_id))
    await create_report(run, resources.bucket, resources.renderer, who.id, NOVEMBER, clock=clock)


def clock_returning(*times: str) -> Clock:
    """Make a clock that returns these times, one after the other."""
    left: Iterator[datetime] = iter([at(time) for time in times])

    async def clock(_: Queryable) -> datetime:
        return next(left)

    return clock


async def kinds(database: Database, state: str) -> list[str]:
    rows = await database.fetch("select kind from jobs where state = $1 order by id", state)
    return [row["kind"] for row in rows]


async def test_report_on_an_unfinished_month_is_created_at_once_but_emailed_after_the_month_ends(
    resources: Resources, database: Database, ada: Person, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await create_report_at(resources, ada, fixed_clock("2025-11-30 23:59:59"))
    pdf = await content(database, resources.bucket, ada.id)
    assert "November 2025, so far" in words(pdf)
    assert ["report:generate"] == await kinds(database, "done")
    assert [] == await kinds(database, "queued")

    job_id = await trigger_run(database, "reports:monthly", "2025-11-30")
    await fan_out_reports(await attempt(database, job_id), NOVEMBER)
    await run_jobs()
    text = words(await content(database, resources.bucket, ada.id))
    assert "November 2025" in text
    assert "so far" not in text
    (email,) = inbox.emails()
    assert email.subject == "Your November 2025 report: 1 activity, 1 h 00 min"


async def test_report_email_is_not_sent_before_the_month_ends_even_if_it_is_enqueued(
    resources: Resources, database: Database, ada: Person, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await create_report_at(resources, ada, fixed_clock("2025-11-30 23:59:59"))
    async with database.transaction() as tx:
        await jobs.enqueue(tx, SendReportReadyEmail(ada.id, NOVEMBER))
    await run_jobs()
    assert [] == inbox.emails()

    await create_report_at(resources, ada, fixed_clock("2025-12-01 00:00"))
    await run_jobs()
    assert 1 == len(inbox.emails())


async def test_report_is_recreated_if_its_month_ends_during_its_creation(
    resources: Resources, database: Database, ada: Person, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await create_report_at(
        resources, ada, clock_returning("2025-11-30 23:59:59", "2025-12-01 00:00:01")
    )
    assert ["report:generate"] == await kinds(database, "queued")
    await run_jobs()
    assert "so far" not in words(await content(database, resources.bucket, ada.id))
    assert 1 == len(inbox.emails())


async def test_report_for_a_future_month_is_created_but_not_emailed(
    database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await confirmed_user(database)
    month = await database.fetchval(
        "select (date_trunc('month', now() at time zone 'utc') + interval '1 month')::date"
    )
    await add_activity(database, ada.id, f"{month} 00:00")
    await enqueue_report(database, ada.id, month)
    await run_jobs()
    assert 1 == await database.fetchval("select count(*) from reports")
    assert ["report:generate"] == await kinds(database, "done")
    assert [] == inbox.emails()
