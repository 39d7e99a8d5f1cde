"""A person's activities by pages, newest first."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from app.activities import statements
from app.activities.activity import Activity, ActivityId, ActivityType
from app.errors import Invalid
from app.postgres.query import Queryable
from app.users.user import UserId


class Filter(NamedTuple):
    """The activities that are wanted. The days are UTC's, both inclusive; None means any."""

    first_day: date | None = None
    last_day: date | None = None
    type: ActivityType | None = None


class Position(NamedTuple):
    """The last activity of the page before."""

    started_at: datetime | None = None
    id: ActivityId | None = None


async def page(
    db: Queryable, user_id: UserId, wanted: Filter, after: Position, limit: int
) -> list[Activity]:
    """At most `limit` activities, each with its photos, in the order of (started_at, id) falling.

    Raises:
        Invalid: the last day is before the first.
    """
    if wanted.first_day and wanted.last_day and wanted.last_day < wanted.first_day:
        raise Invalid("The last day is before the first.", field="to")
    return await statements.list_activities(db, user_id, *wanted, *after, limit)
