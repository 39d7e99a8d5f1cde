"""Signatures for the statements in `sql/queries/activities.sql` and `photos.sql`."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from app.activities.activity import Activity, ActivityId, Entry, Photo, PhotoId
from app.postgres.statements import Queryable, statement
from app.users.user import UserId


class RoomForPhoto(Struct, frozen=True):
    """The id for a new photo, and what is already stored."""

    photo_id: PhotoId
    photos: int
    """The number of photos that the activity has."""
    stored_bytes: int
    """The size of all the user's photos."""


@statement("activities")
async def insert_activity(
    db: Queryable,
    *,
    user_id: UserId,
    utc_offset_minutes: int | None,
    type: str,
    started_at: datetime,
    duration_s: int,
    distance_m: float | None,
    calories: int | None,
    notes: str | None,
) -> Activity: ...


@statement("activities")
async def activity(
    db: Queryable, *, activity_id: ActivityId, user_id: UserId
) -> Activity | None: ...


@statement("activities")
async def list_activities(
    db: Queryable,
    *,
    user_id: UserId,
    first_day: date | None,
    last_day: date | None,
    type: str | None,
    after: datetime | None,
    after_id: UUID | None,
    limit: int,
) -> list[Activity]: ...


@statement("activities")
async def lock_activity(
    db: Queryable, *, activity_id: ActivityId, user_id: UserId
) -> Entry | None: ...


@statement("activities")
async def update_activity(
    db: Queryable,
    *,
    activity_id: ActivityId,
    user_id: UserId,
    start_changed: bool,
    utc_offset_minutes: int | None,
    type: str,
    started_at: datetime,
    duration_s: int,
    distance_m: float | None,
    calories: int | None,
    notes: str | None,
) -> Activity: ...


@statement("activities")
async def delete_activity(
    db: Queryable, *, activity_id: ActivityId, user_id: UserId
) -> ActivityId | None: ...


@statement("photos")
async def room_for_photo(
    db: Queryable, *, activity_id: ActivityId, user_id: UserId
) -> RoomForPhoto | None: ...


@statement("photos")
async def insert_photo(
    db: Queryable,
    *,
    photo_id: PhotoId,
    activity_id: ActivityId,
    user_id: UserId,
    content_type: str,
    size_bytes: int,
    max_photos: int,
) -> Photo | None: ...


@statement("photos")
async def photo(db: Queryable, *, photo_id: PhotoId, user_id: UserId) -> Photo | None: ...


@statement("photos")
async def delete_photo(db: Queryable, *, photo_id: PhotoId, user_id: UserId) -> Photo | None: ...
