"""The demo data for `just up`: two users, one an operator, with a year of activities each.

It is loaded before the worker starts; the worker then generates the reports and sends the emails.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from app import jobs
from app.embedded import statements
from app.embedded.application import ADA, GRACE, DemoAccount
from app.jobs import Job
from app.postgres.database import Database, Dispatch, Transaction
from app.postgres.pool import open_pool
from app.reports.jobs import GenerateReport
from app.reports.report import month_before
from app.stats.emails import SendWeeklySummaryEmail
from app.users.passwords import Passwords
from app.users.user import UserId

FAVOURITE_TYPES = {ADA: "run", GRACE: "swim"}
REPORT_MONTHS = 3
"""The number of completed months with a report."""


async def load(database_url: str, today: date) -> None:
    """Add any missing demo users, with activities up to yesterday.

    Existing users are left unchanged.
    """
    async with await open_pool(database_url, size=1, application_name="activelog-demo") as pool:
        database = Database(pool, _leave_dispatch_to_relay)
        for seed, (account, favourite) in enumerate(FAVOURITE_TYPES.items(), 1):
            password_hash = await Passwords().hash(account.password)
            async with database.transaction() as tx:
                await _add(tx, account, password_hash, favourite, seed / 10, today)


async def _add(
    tx: Transaction,
    account: DemoAccount,
    password_hash: str,
    favourite: str,
    seed: float,
    today: date,
) -> None:
    user_id = await statements.add_demo_user(
        tx,
        email=account.email,
        name=account.name,
        password_hash=password_hash,
        is_admin=account.operator,
    )
    if user_id is not None:
        await statements.seed_random(tx, seed=seed)
        await statements.add_demo_activities(tx, user_id=user_id, favourite=favourite, today=today)
        await jobs.enqueue_all(tx, _jobs(user_id, today))


def _jobs(user_id: UserId, today: date) -> Iterator[Job]:
    """Yield the job for last week's summary, then the jobs for the reports, latest month first."""
    since_saturday = (today.weekday() + 2) % 7 or 7
    yield SendWeeklySummaryEmail(user_id, today - timedelta(days=since_saturday))
    month = today
    for _ in range(REPORT_MONTHS):
        month = month_before(month.replace(day=1))
        yield GenerateReport(user_id, month)


def _leave_dispatch_to_relay(_: Sequence[Dispatch]) -> None:
    """Dispatch nothing to Redis: once the worker starts, its relay finds the jobs in Postgres."""


if __name__ == "__main__":
    asyncio.run(load(os.environ["DATABASE_URL"], datetime.now(UTC).date()))
