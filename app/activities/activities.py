"""Activities: record, change, delete and list them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from app.activities import statements
from app.activities.activity import Activity, ActivityId, Changes, Entry
from app.activity_types import ActivityType
from app.errors import Invalid, NotFound
from app.friends.emails import notify_friends
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.users.user import UserId

EARLIEST_START = datetime(1970, 1, 1, tzinfo=UTC)
MIN_UTC_OFFSET, MAX_UTC_OFFSET = timedelta(hours=-12), timedelta(hours=14)
"""The range of UTC offsets in use anywhere."""
MAX_START_AHEAD = timedelta(days=1)
"""How far in the future an activity may start, to allow for wrong clocks and time zones."""


async def record(
    tx: Transaction,
    user_id: UserId,
    entry: Entry,
    *,
    utc_offset_minutes: int | None = None,
    now: datetime,
) -> Activity:
    """Add an activity of this user. If it is recent, notify the friends who want to hear about it.

    Args:
        utc_offset_minutes: the UTC offset where the activity took place, if known.

    Raises:
        Invalid: the activity starts before 1970 or more than a day from now.
    """
    _check_start(entry.started_at, now)
    activity = await statements.insert_activity(
        tx,
        user_id=user_id,
        utc_offset_minutes=utc_offset_minutes,
        type=entry.type,
        started_at=entry.started_at,
        duration_s=entry.duration_s,
        distance_m=entry.distance_m,
        calories=entry.calories,
        notes=entry.notes,
    )
    await notify_friends(tx, user_id, activity.id, entry.started_at, now=now)
    return activity


async def find(db: Queryable, user_id: UserId, activity_id: ActivityId) -> Activity:
    """Return one activity of this user.

    Raises:
        NotFound: the activity does not exist, is deleted, or belongs to someone else.
    """
    activity = await statements.activity(db, activity_id=activity_id, user_id=user_id)
    if activity is None:
        raise no_such_activity()
    return activity


async def lock(tx: Transaction, user_id: UserId, activity_id: ActivityId) -> Activity:
    """Lock one activity of this user until the transaction ends, and return it.

    Raises:
        NotFound: the activity does not exist, is deleted, or belongs to someone else.
    """
    if await statements.lock_activity(tx, activity_id=activity_id, user_id=user_id) is None:
        raise no_such_activity()
    return await find(tx, user_id, activity_id)


async def change(
    tx: Transaction,
    user_id: UserId,
    activity_id: ActivityId,
    changes: Changes,
    *,
    utc_offset_minutes: int | None = None,
    now: datetime,
) -> Activity:
    """Change the given fields; the others stay as they are.

    Args:
        utc_offset_minutes: the UTC offset where the activity took place, if known. Ignored if the
            start is not changed.

    Raises:
        Invalid: the activity starts before 1970 or more than a day from now.
        NotFound: the activity does not exist, is deleted, or belongs to someone else.
    """
    entry = await statements.lock_activity(tx, activity_id=activity_id, user_id=user_id)
    if entry is None:
        raise no_such_activity()
    if isinstance(changes.started_at, datetime):
        _check_start(changes.started_at, now)
    new_values = {
        name: value for name, value in msgspec.structs.asdict(changes).items() if value is not UNSET
    }
    entry = msgspec.structs.replace(entry, **new_values)
    return await statements.update_activity(
        tx,
        activity_id=activity_id,
        user_id=user_id,
        start_changed=changes.started_at is not UNSET,
        utc_offset_minutes=utc_offset_minutes,
        type=entry.type,
        started_at=entry.started_at,
        duration_s=entry.duration_s,
        distance_m=entry.distance_m,
        calories=entry.calories,
        notes=entry.notes,
    )


async def delete(tx: Transaction, user_id: UserId, activity_id: ActivityId) -> None:
    """Mark an activity as deleted, so that nobody sees it. The nightly cleanup removes it later.

    Raises:
        NotFound: the activity does not exist, is already deleted, or belongs to someone else.
    """
    if await statements.delete_activity(tx, activity_id=activity_id, user_id=user_id) is None:
        raise no_such_activity()


def no_such_activity() -> NotFound:
    return NotFound("Activity not found.")


def _check_start(started_at: datetime, now: datetime) -> None:
    if started_at < EARLIEST_START:
        raise Invalid("An activity cannot start before 1970.", field="started_at")
    if started_at > now + MAX_START_AHEAD:
        raise Invalid("An activity cannot start more than a day in the future.", field="started_at")


class Filters(NamedTuple):
    """Which activities to list. Both days are in UTC and included; None means no restriction."""

    first_day: date | None = None
    last_day: date | None = None
    type: ActivityType | None = None


class ActivityKey(NamedTuple):
    """The sort key of the last activity on the previous page. Its fields are None for page one."""

    started_at: datetime | None = None
    id: ActivityId | None = None


async def list_activities(
    db: Queryable, user_id: UserId, filters: Filters, after: ActivityKey, limit: int
) -> list[Activity]:
    """Return at most `limit` activities with their photos' ids, newest first.

    Raises:
        Invalid: the last day is before the first.
    """
    if filters.first_day and filters.last_day and filters.last_day < filters.first_day:
        raise Invalid("The last day must not be before the first.", field="to")
    return await statements.list_activities(
        db,
        user_id=user_id,
        first_day=filters.first_day,
        last_day=filters.last_day,
        type=filters.type,
        after=after.started_at,
        after_id=after.id,
        limit=limit,
    )
