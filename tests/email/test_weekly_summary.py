"""The weekly summary: its recipients and its figures."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from app import jobs
from app.embedded.inbox import Inbox
from app.postgres.database import Database
from app.stats.emails import SendWeeklySummaryEmail
from app.users.user import UserId
from tests.support.people import person
from tests.support.working import RunJobs

SATURDAY = date(2026, 11, 21)


def at(day: date, time: str = "12:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC)


async def add_recipient(database: Database) -> UserId:
    ada = await person(database, "ada")
    await database.execute("update users set confirmed_at = now()")
    return ada.id


async def add_activity(
    database: Database,
    user_id: UserId,
    started_at: datetime,
    *,
    seconds: int = 3600,
    metres: float | None = 10_000,
) -> None:
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s, distance_m, calories)"
        " values ($1, 'run', $2, $3, $4, 500)",
        user_id,
        started_at,
        seconds,
        metres,
    )


async def enqueue_summary(database: Database, user_id: UserId, saturday: date = SATURDAY) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue(tx, SendWeeklySummaryEmail(user_id=user_id, saturday=saturday))


async def test_seven_days_are_counted_and_compared_with_the_week_before(
    database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await add_recipient(database)
    sunday = SATURDAY - timedelta(days=6)
    await add_activity(database, ada, at(sunday, "00:00"))
    await add_activity(database, ada, at(SATURDAY, "23:59:59.9"), seconds=7200, metres=None)
    await add_activity(database, ada, at(SATURDAY + timedelta(days=1), "00:00"), metres=99_000)
    await add_activity(database, ada, at(sunday - timedelta(days=1), "23:59"), seconds=1800)
    await add_activity(database, ada, at(sunday - timedelta(days=8), "23:59"), metres=99_000)
    await enqueue_summary(database, ada)
    await run_jobs()
    (email,) = inbox.emails()
    assert email.subject == "Your week: 2 activities, 3 h 00 min"
    text = str(email.text).replace("\r\n", "\n")
    assert "15 to 21 November, compared with the week before.\nActive on 2 days." in text
    assert "Activities  2 (up 100%)\n" in text
    assert "Time        3 h 00 min (up 500%)\n" in text
    assert "Distance    10.0 km (same as the week before)\n" in text
    assert "Energy      1,000 kcal (up 100%)\n" in text
    assert "Sun  ██████████ 1 h 00 min, 10.0 km\nMon  rest\n" in text
    assert "Sat  ████████████████████ 2 h 00 min\n" in text
    assert "unsubscribe/weekly_summary." in email.message["List-Unsubscribe"]


async def test_quiet_week_is_summarized_after_an_activity_in_the_last_28_days(
    database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await add_recipient(database)
    await add_activity(database, ada, at(SATURDAY - timedelta(days=27), "00:00"))
    await enqueue_summary(database, ada)
    await run_jobs()
    (email,) = inbox.emails()
    assert email.subject == "Your week: a quiet one"
    assert "A quiet week, ada." in str(email.text)
    assert "The week before" not in str(email.text)
    assert "█" not in str(email.text)


async def test_summary_of_a_quiet_week_describes_the_week_before_instead_of_a_drop_to_zero(
    database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await add_recipient(database)
    await add_activity(database, ada, at(SATURDAY - timedelta(days=7), "12:00"))
    await enqueue_summary(database, ada)
    await run_jobs()
    (email,) = inbox.emails()
    for part in (email.text, email.html):
        assert "The week before had 1 activity, 1 h 00 min." in str(part)
        assert "down 100%" not in str(part)


@pytest.mark.parametrize(
    "cause",
    [
        "insert into subscriptions select id, 'weekly_summary', 'off' from users",
        "update users set confirmed_at = null",
        "update users set deleted_at = now()",
        "update activities set deleted_at = now()",
        "update activities set started_at = started_at - interval '28 days'",
        "update activities set started_at = started_at + interval '1 day'",
    ],
)
async def test_no_summary_is_sent_if_the_user_opted_out_or_is_unconfirmed_deleted_or_inactive(
    cause: str, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await add_recipient(database)
    await add_activity(database, ada, at(SATURDAY, "23:59"))
    await enqueue_summary(database, ada)
    await database.execute(cause)
    await run_jobs()
    assert inbox.emails() == []
    assert "done" == await database.fetchval("select state from jobs")


async def test_summary_is_not_sent_before_the_week_is_over(
    database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, today = await add_recipient(database), datetime.now(UTC).date()
    saturday = today + timedelta(days=(5 - today.weekday()) % 7 + 7)
    await add_activity(database, ada, at(today, "00:00"))
    await enqueue_summary(database, ada, saturday)
    await run_jobs()
    assert inbox.emails() == []
    assert 0 == await database.fetchval("select count(*) from emails")
    assert "the week is not over" in await database.fetchval("select note from jobs")


async def test_week_is_summarized_once(database: Database, inbox: Inbox, run_jobs: RunJobs) -> None:
    ada = await add_recipient(database)
    await add_activity(database, ada, at(SATURDAY))
    for _ in range(3):
        await enqueue_summary(database, ada)
        await run_jobs()
    assert len(inbox.emails()) == 1


@pytest.mark.parametrize("days", [-1, 1])
def test_last_day_of_the_week_must_be_a_saturday(days: int) -> None:
    payload = {
        "user_id": "01900000-0000-7000-8000-000000000001",
        "saturday": str(SATURDAY + timedelta(days=days)),
    }
    with pytest.raises(msgspec.ValidationError, match="the last day of a week must be a Saturday"):
        msgspec.convert(payload, SendWeeklySummaryEmail, strict=False)
