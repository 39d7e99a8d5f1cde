"""Activities: `/activities`."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath
from msgspec import UNSET, Struct, UnsetType

from app.activities import activities
from app.activities.activity import Activity, ActivityId, ActivityType, Changes, Entry
from app.api.idempotency import IdempotentCreation
from app.api.paging import DEFAULT_LIMIT, FROM, TO, TYPE, Cursor, Limit, Page, page
from app.api.photos import ShownPhoto, add_photo, shown_photo
from app.errors import Invalid
from app.postgres.database import Database, Transaction
from app.users.user import Me
from app.web.cursors import after_cursor

ENTRY = Example(
    value={
        "type": "run",
        "started_at": "2026-11-21T07:30:00+01:00",
        "duration_s": 2700,
        "distance_m": 8400,
        "calories": 610,
        "notes": "Frost on the towpath.",
    }
)
CHANGES = Example(value={"duration_s": 2760, "notes": None})


class ShownActivity(Struct, frozen=True):
    """An activity, as its owner sees it."""

    id: ActivityId
    type: ActivityType
    started_at: datetime
    duration_s: int
    distance_m: float | None
    calories: int | None
    notes: str | None
    photos: list[ShownPhoto]
    created_at: datetime
    updated_at: datetime


def shown(activity: Activity) -> ShownActivity:
    return ShownActivity(
        id=activity.id,
        type=activity.type,
        started_at=activity.started_at,
        duration_s=activity.duration_s,
        distance_m=activity.distance_m,
        calories=activity.calories,
        notes=activity.notes,
        photos=[shown_photo(photo_id) for photo_id in activity.photo_ids],
        created_at=activity.created_at,
        updated_at=activity.updated_at,
    )


class _Written(Struct):
    started_at: str | UnsetType = UNSET


async def _utc_offset(
    request: Request[Me, Any, Any], started_at: datetime | UnsetType
) -> int | None:
    """Minutes that the clock of the start was ahead of UTC; None if unknown, or there is no start.

    `Z` and `-00:00` mean that the time is in UTC and the local offset is unknown (RFC 3339, 4.3;
    RFC 9557, 2.2), while `+00:00` is the offset of London in winter. msgspec reads all three as
    UTC, so the text of the body decides.

    Raises:
        Invalid: no clock has this offset.
    """
    offset = started_at.utcoffset() if isinstance(started_at, datetime) else None
    if offset is None:
        return None
    if not activities.MIN_UTC_OFFSET <= offset <= activities.MAX_UTC_OFFSET:
        raise Invalid("The UTC offset must be between -12:00 and +14:00.", field="started_at")
    if not offset:
        written = msgspec.json.decode(await request.body(), type=_Written).started_at
        if isinstance(written, str) and "+" not in written:
            return None
    return offset // timedelta(minutes=1)


@post("/", operation_id="createActivity")
async def create_activity(
    data: Annotated[Entry, Body(examples=[ENTRY])],
    request: Request[Me, Any, Any],
    create_once: NamedDependency[IdempotentCreation],
    now: NamedDependency[datetime],
) -> Response[ShownActivity]:
    """Create an activity. It may start up to one day from now, and not before 1970."""
    offset = await _utc_offset(request, data.started_at)

    async def create(tx: Transaction) -> ShownActivity:
        return shown(
            await activities.record(tx, request.user.id, data, utc_offset_minutes=offset, now=now)
        )

    return await create_once(create)


@get("/", operation_id="listActivities")
async def list_activities(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    first_day: Annotated[date | None, FROM] = None,
    last_day: Annotated[date | None, TO] = None,
    activity_type: Annotated[ActivityType | None, TYPE] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ShownActivity]:
    """List your activities with their photos, newest first."""
    wanted = activities.Filter(first_day, last_day, activity_type)
    after = after_cursor(cursor, tuple[datetime, ActivityId])
    position = activities.ActivityKey(*after) if after else activities.ActivityKey()
    found = await activities.list_activities(database, me.id, wanted, position, limit + 1)
    return page(
        [shown(activity) for activity in found], limit, key=lambda last: (last.started_at, last.id)
    )


@get("/{activity_id:uuid}", operation_id="readActivity")
async def read_activity(
    activity_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> ShownActivity:
    """Get one of your activities."""
    return shown(await activities.find(database, me.id, ActivityId(activity_id)))


@patch("/{activity_id:uuid}", operation_id="changeActivity")
async def change_activity(
    activity_id: FromPath[UUID],
    data: Annotated[Changes, Body(examples=[CHANGES])],
    request: Request[Me, Any, Any],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
) -> ShownActivity:
    """Update an activity. Omitted fields keep their values; null clears an optional field."""
    offset = await _utc_offset(request, data.started_at)
    async with database.transaction() as tx:
        changed = await activities.change(
            tx,
            request.user.id,
            ActivityId(activity_id),
            data,
            utc_offset_minutes=offset,
            now=now,
        )
    return shown(changed)


@delete("/{activity_id:uuid}", operation_id="deleteActivity")
async def delete_activity(
    activity_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> None:
    """Delete an activity and its photos."""
    async with database.transaction() as tx:
        await activities.delete(tx, me.id, ActivityId(activity_id))


router = Router(
    "/activities",
    route_handlers=[
        create_activity,
        list_activities,
        read_activity,
        change_activity,
        delete_activity,
        add_photo,
    ],
    tags=["activities"],
)
