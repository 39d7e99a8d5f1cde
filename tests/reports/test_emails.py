"""The email about a report: who gets it and what it says."""

from __future__ import annotations

import pytest

from app.embedded.inbox import Inbox
from app.postgres.database import Database
from tests.reports.months import add_activity, confirmed_user, enqueue_report
from tests.support.working import RunJobs


async def test_report_email_has_totals_and_a_link_to_the_report(
    database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-03T10:00", metres=8200)
    await add_activity(database, ada.id, "2025-11-25T10:00")
    await add_activity(database, ada.id, "2025-11-25T12:00", type="swim", metres=None)
    await enqueue_report(database, ada.id)
    await run_jobs()
    (email,) = inbox.emails()
    assert email.subject == "Your November 2025 report: 3 activities, 3 h 00 min"
    text = str(email.text).replace("\r\n", "\n")
    assert "https://activelog.example/reports/2025-11/download\n" in text
    assert "Distance    18.2 km\n" in text
    assert "Energy      1,500 kcal\n" in text
    assert "Active      2 days\nBusiest day Tuesday, 25 November, 2 h 00 min\n" in text
    assert "unsubscribe/monthly_report." in email.message["List-Unsubscribe"]


@pytest.mark.parametrize(
    "change",
    [
        "insert into subscriptions select id, 'monthly_report', 'off' from users",
        "update users set confirmed_at = null",
    ],
)
async def test_unsubscribed_or_unconfirmed_user_gets_a_report_but_no_email(
    database: Database, inbox: Inbox, run_jobs: RunJobs, change: str
) -> None:
    ada = await confirmed_user(database)
    await add_activity(database, ada.id, "2025-11-03T10:00")
    await database.execute(change)
    await enqueue_report(database, ada.id)
    await run_jobs()
    assert inbox.emails() == []
    assert await database.fetchval("select count(*) from reports") == 1
