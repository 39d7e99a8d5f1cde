"""The demo data of `just up`: two people, one an operator, and a year of activities each.

It is loaded before the worker starts, which then makes the reports and sends the emails.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from app import jobs
from app.embedded import statements
from app.embedded.logins import ADA, GRACE, Login
from app.jobs import Job
from app.postgres.database import Database, Dispatch, Transaction
from app.postgres.pool import open_pool
from app.reports.jobs import ReportGenerate
from app.reports.report import month_before
from app.stats.emails import WeeklySummaryEmail
from app.users.passwords import Passwords
from app.users.user import UserId

FAVOURITES = {ADA: "run", GRACE: "swim"}
REPORTS = 3
"""How many finished months have a report."""


async def load(database_url: str, today: date) -> None:
    """Add the people who are not there yet, with their activities up to yesterday.

    A person who is there keeps what they have, and gets nothing again.
    """
    async with await open_pool(database_url, size=1, application_name="activelog-demo") as pool:
        database = Database(pool, _leave_to_the_relay)
        for seed, (login, favourite) in enumerate(FAVOURITES.items(), 1):
            password_hash = await Passwords().hash(login.password)
            async with database.transaction() as tx:
                await _add(tx, login, password_hash, favourite, seed / 10, today)


async def _add(
    tx: Transaction, login: Login, password_hash: str, favourite: str, seed: float, today: date
) -> None:
    user_id = await statements.add_demo_user(
        tx, login.email, login.name, password_hash, login.operator
    )
    if user_id is not None:
        await statements.repeatable_chance(tx, seed)
        await statements.add_demo_activities(tx, user_id, favourite, today)
        await jobs.enqueue_all(tx, _jobs(user_id, today))


def _jobs(user_id: UserId, today: date) -> Iterator[Job]:
    """The weekly email of the last finished week, and the reports, the latest month first."""
    since_saturday = (today.weekday() + 2) % 7 or 7
    yield WeeklySummaryEmail(user_id, today - timedelta(days=since_saturday))
    month = today
    for _ in range(REPORTS):
        month = month_before(month.replace(day=1))
        yield ReportGenerate(user_id, month)


def _leave_to_the_relay(_: Sequence[Dispatch]) -> None:
    """Send no ids to Redis: the worker, which is not running yet, finds the jobs in Postgres."""


if __name__ == "__main__":
    asyncio.run(load(os.environ["DATABASE_URL"], datetime.now(UTC).date()))
