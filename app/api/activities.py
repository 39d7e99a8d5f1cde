"""The routes under `/activities`."""

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
from app.activities.activity import Activity, ActivityId, Changes, Entry
from app.activity_types import ActivityType
from app.api.idempotency import IdempotentCreation
from app.api.paging import (
    ACTIVITY_TYPE,
    DEFAULT_LIMIT,
    FIRST_DAY,
    LAST_DAY,
    Cursor,
    Limit,
    Page,
    page_of,
)
from app.api.photos import PhotoResponse, add_photo, photo_response
from app.api.preconditions import Preconditions, tagged, with_etag
from app.errors import Invalid
from app.postgres.database import Database, Transaction
from app.users.user import Me
from app.web.cursors import decode_cursor

NEW_ACTIVITY = Example(
    value={
        "type": "run",
        "started_at": "2026-11-21T07:30:00+01:00",
        "duration_s": 2700,
        "distance_m": 8400,
        "calories": 610,
        "notes": "Frost on the towpath.",
    }
)
ACTIVITY_CHANGES = Example(value={"duration_s": 2760, "notes": None})


class ActivityResponse(Struct, frozen=True):
    """An activity, as its owner sees it."""

    id: ActivityId
    type: ActivityType
    started_at: datetime
    duration_s: int
    distance_m: float | None
    calories: int | None
    notes: str | None
    photos: list[PhotoResponse]
    created_at: datetime
    updated_at: datetime


def to_response(activity: Activity) -> ActivityResponse:
    return ActivityResponse(
        id=activity.id,
        type=activity.type,
        started_at=activity.started_at,
        duration_s=activity.duration_s,
        distance_m=activity.distance_m,
        calories=activity.calories,
        notes=activity.notes,
        photos=[photo_response(photo_id) for photo_id in activity.photo_ids],
        created_at=activity.created_at,
        updated_at=activity.updated_at,
    )


class _RawStart(Struct):
    """The start time as the client wrote it."""

    started_at: str | UnsetType = UNSET


async def _utc_offset(
    request: Request[Me, Any, Any], started_at: datetime | UnsetType
) -> int | None:
    """Return the start's UTC offset in minutes; None if the offset is unknown or no start is given.

    `Z` and `-00:00` mean that the time is in UTC and the local offset is unknown (RFC 3339, 4.3;
    RFC 9557, 2.2), while `+00:00` is a known offset, such as London's in winter. msgspec decodes
    all three as UTC, so the text in the body is read again.

    Raises:
        Invalid: the offset is outside -12:00 to +14:00.
    """
    offset = started_at.utcoffset() if isinstance(started_at, datetime) else None
    if offset is None:
        return None
    if not activities.MIN_UTC_OFFSET <= offset <= activities.MAX_UTC_OFFSET:
        raise Invalid("The UTC offset must be between -12:00 and +14:00.", field="started_at")
    if not offset:
        raw_start = msgspec.json.decode(await request.body(), type=_RawStart).started_at
        if isinstance(raw_start, str) and "+" not in raw_start:
            return None
    return offset // timedelta(minutes=1)


@post("/", operation_id="createActivity")
async def create_activity(
    data: Annotated[Entry, Body(examples=[NEW_ACTIVITY])],
    request: Request[Me, Any, Any],
    create_once: NamedDependency[IdempotentCreation],
    now: NamedDependency[datetime],
) -> Response[ActivityResponse]:
    """Create an activity. It must start in 1970 or later, and at most one day from now."""
    offset = await _utc_offset(request, data.started_at)

    async def create(tx: Transaction) -> ActivityResponse:
        return to_response(
            await activities.record(tx, request.user.id, data, utc_offset_minutes=offset, now=now)
        )

    return with_etag(await create_once(create, location="/api/v1/activities/{id}"))


@get("/", operation_id="listActivities")
async def list_activities(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    first_day: Annotated[date | None, FIRST_DAY] = None,
    last_day: Annotated[date | None, LAST_DAY] = None,
    activity_type: Annotated[ActivityType | None, ACTIVITY_TYPE] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ActivityResponse]:
    """List your activities with their photos, newest first."""
    filters = activities.Filters(first_day, last_day, activity_type)
    after = decode_cursor(cursor, tuple[datetime, ActivityId])
    position = activities.ActivityKey(*after) if after else activities.ActivityKey()
    rows = await activities.list_activities(database, me.id, filters, position, limit + 1)
    return page_of(
        [to_response(activity) for activity in rows],
        limit,
        key=lambda last: (last.started_at, last.id),
    )


@get("/{activity_id:uuid}", operation_id="readActivity")
async def read_activity(
    activity_id: FromPath[UUID],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    preconditions: NamedDependency[Preconditions],
) -> Response[ActivityResponse]:
    """Get one of your activities."""
    activity = await activities.find(database, me.id, ActivityId(activity_id))
    return preconditions.respond(to_response(activity))


@patch("/{activity_id:uuid}", operation_id="changeActivity")
async def change_activity(
    activity_id: FromPath[UUID],
    data: Annotated[Changes, Body(examples=[ACTIVITY_CHANGES])],
    request: Request[Me, Any, Any],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
    preconditions: NamedDependency[Preconditions],
) -> Response[ActivityResponse]:
    """Update an activity. Omitted fields keep their values; null clears an optional field."""
    offset = await _utc_offset(request, data.started_at)
    async with database.transaction() as tx:
        if preconditions:
            current = await activities.lock(tx, request.user.id, ActivityId(activity_id))
            preconditions.check(to_response(current))
        changed = await activities.change(
            tx,
            request.user.id,
            ActivityId(activity_id),
            data,
            utc_offset_minutes=offset,
            now=now,
        )
    return tagged(to_response(changed))


@delete("/{activity_id:uuid}", operation_id="deleteActivity")
async def delete_activity(
    activity_id: FromPath[UUID],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    preconditions: NamedDependency[Preconditions],
) -> None:
    """Delete an activity and its photos."""
    async with database.transaction() as tx:
        if preconditions:
            current = await activities.lock(tx, me.id, ActivityId(activity_id))
            preconditions.check(to_response(current))
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
