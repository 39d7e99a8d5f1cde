"""Daily totals: read from `daily_stats` if a day's count is current, otherwise from the activities.

The totals are therefore always right: for today, before the nightly count, after a change to a past
day, and after a failed count. Reading them writes nothing.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from app.errors import Invalid
from app.postgres.statements import Queryable
from app.stats import statements
from app.stats.totals import DayTotals
from app.users.user import UserId

MAX_DAYS = 366
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""The years for which totals can be requested."""


async def read(db: Queryable, user_id: UserId, first: date, last: date) -> list[DayTotals]:
    """Return a user's totals for each day from the first to the last, both included.

    Raises:
        Invalid: the last day is before the first, there are more than 366 days, or a year is out of
            range.
    """
    if last < first:
        raise Invalid("The last day must not be before the first.", field="to")
    if (last - first).days >= MAX_DAYS:
        raise Invalid(f"Request at most {MAX_DAYS} days at once.", field="to")
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        raise Invalid(f"The year must be from {FIRST_YEAR} to {LAST_YEAR}.", field="from")
    return await statements.daily_totals(db, user_id=user_id, first_day=first, last_day=last)


def monday_of(week: str) -> date:
    """Return the first day of an ISO 8601 week such as 2026-W47.

    Raises:
        Invalid: there is no such week, or its year is out of range.
    """
    match = re.fullmatch(r"(\d{4})-W(\d\d)", week, re.ASCII)
    try:
        if match and FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            return date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        pass
    raise Invalid("Use an ISO 8601 week such as 2026-W47.", field="week")


def week_of(day: date) -> str:
    """Return the ISO 8601 week of a day."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def sunday_after(monday: date) -> date:
    return monday + timedelta(days=6)
