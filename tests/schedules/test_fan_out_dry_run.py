"""Dry runs of fan-outs: how many people they would email, and why they would skip the others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.postgres.database import Database
from app.resources import Resources
from app.users.user import UserId
from tests.support.many_users import add_run, add_users
from tests.support.moments import at
from tests.support.schedules import run_schedule

SATURDAY, OCTOBER = "2025-10-25", "2025-10-31"
CHANGES = {
    "unconfirmed": "update users set confirmed_at = null where id = $1",
    "opted_out": "insert into subscriptions select $1, name, 'off'"
    " from unnest(array['weekly_summary', 'monthly_report']) as names (name)",
    "deleted": "update users set deleted_at = now() where id = $1",
    "suppressed": "insert into suppressions select lower(email), 'x' from users where id = $1",
    "sent_before": """
        insert into emails (recipient_id, template, unique_key, job_id, message_id, state, attempts,
                            written_at, sent_at)
        select $1, template, unique_key, uuidv7(), template, 'sent', 1, now(), now()
        from (values ('weekly_summary', '2025-10-25'), ('report_ready', '2025-10'))
            as sent (template, unique_key)""",
    "not sent before": """
        insert into emails (recipient_id, template, unique_key, job_id, message_id, state, attempts,
                            written_at, sent_at)
        select $1, template, unique_key, uuidv7(), template, state, 1, now(), sent_at
        from (values ('weekly_summary', '2025-10-18', 'sent', now()),
                     ('weekly_summary', '2025-10-25', 'refused', null),
                     ('report_ready', '2025-09', 'sent', now()),
                     ('report_ready', '2025-10', 'refused', null))
            as sent (template, unique_key, state, sent_at)""",
}


@pytest.fixture
async def users(database: Database) -> Sequence[UserId]:
    """Create, in order, an active user for each change, an inactive user and two active users."""
    users = await add_users(database, len(CHANGES) + 3)
    for change, user in zip(CHANGES.values(), users, strict=False):
        await database.execute(change, user)
    await database.execute("update users set email = upper(email)")
    for user in [*users[: len(CHANGES)], *users[-2:]]:
        await add_run(database, user, at("2025-10-20 12:00"))
    return users


EXPECTED = {
    "examined": 8,
    "would_email": 3,
    "inactive": 1,
    "opted_out": 1,
    "unconfirmed": 1,
    "suppressed": 1,
    "sent_before": 1,
}


@pytest.mark.parametrize(
    ("schedule", "day", "expected"),
    [
        ("emails:weekly", SATURDAY, EXPECTED),
        ("reports:monthly", OCTOBER, {**EXPECTED, "would_create": 7}),
    ],
)
@pytest.mark.usefixtures("users")
async def test_dry_run_counts_recipients_and_skipped_users_by_reason_and_enqueues_nothing(
    database: Database, resources: Resources, schedule: str, day: str, expected: dict[str, int]
) -> None:
    run = await run_schedule(resources, schedule, day, dry_run=True)
    assert ("done", expected) == (run.state, run.counts)
    assert [schedule] == [row[0] for row in await database.fetch("select kind from jobs")]


@pytest.mark.parametrize(
    ("schedule", "day", "emails"),
    [("emails:weekly", SATURDAY, "weekly_summary"), ("reports:monthly", OCTOBER, "report_ready")],
)
@pytest.mark.usefixtures("users")
async def test_dry_run_predicts_how_many_emails_the_real_run_sends(
    database: Database, resources: Resources, schedule: str, day: str, emails: str
) -> None:
    sent = "select count(*) from emails where template = $1 and state = 'sent'"
    before = await database.fetchval(sent, emails)
    dry = await run_schedule(resources, schedule, day, dry_run=True)
    real = await run_schedule(resources, schedule, day)
    assert dry.counts["would_email"] == await database.fetchval(sent, emails) - before
    if schedule == "reports:monthly":
        assert dry.counts["would_create"] == real.counts["enqueued"]
    again = await run_schedule(resources, schedule, day, dry_run=True)
    already = dry.counts["sent_before"] + dry.counts["would_email"]
    assert (0, already) == (again.counts["would_email"], again.counts["sent_before"])


@pytest.mark.parametrize("moment", ["2025-10-01 00:00", "2025-10-31 23:59:59.9"])
@pytest.mark.parametrize(("day", "reports"), [(OCTOBER, 1), ("2025-09-30", 0), ("2025-11-30", 0)])
async def test_dry_run_of_reports_considers_only_activities_in_the_month(
    database: Database, resources: Resources, moment: str, day: str, reports: int
) -> None:
    (user,) = await add_users(database, 1)
    await add_run(database, user, at(moment))
    run = await run_schedule(resources, "reports:monthly", day, dry_run=True)
    assert (reports, 1 - reports) == (run.counts["would_create"], run.counts["inactive"])


@pytest.mark.parametrize(
    ("moment", "emails"),
    [
        ("2025-09-27 23:59:59.9", 0),
        ("2025-09-28 00:00", 1),
        ("2025-10-25 23:59:59.9", 1),
        ("2025-10-26 00:00", 0),
    ],
)
async def test_dry_run_of_summaries_considers_only_activities_in_the_four_weeks_to_saturday(
    database: Database, resources: Resources, moment: str, emails: int
) -> None:
    (user,) = await add_users(database, 1)
    await add_run(database, user, at(moment))
    run = await run_schedule(resources, "emails:weekly", SATURDAY, dry_run=True)
    assert (emails, 1 - emails) == (run.counts["would_email"], run.counts["inactive"])
