"""An activity: as its owner enters it, and as it is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NewType
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from app.activity_types import ActivityType

ActivityId = NewType("ActivityId", UUID)
PhotoId = NewType("PhotoId", UUID)

Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a UTC offset.")]
Seconds = Annotated[int, Meta(ge=1, le=7 * 24 * 3600, description="Up to seven days.")]
Metres = Annotated[float, Meta(ge=0, le=100_000_000)]
Kilocalories = Annotated[int, Meta(ge=0, le=1_000_000)]
Notes = Annotated[str, Meta(max_length=5000)]


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of an activity that its owner enters."""

    type: ActivityType
    started_at: Instant
    duration_s: Seconds
    distance_m: Metres | None = None
    calories: Kilocalories | None = None
    notes: Notes | None = None


class Changes(Struct, frozen=True, forbid_unknown_fields=True):
    """Changes to an activity. Absent fields are not changed; null clears an optional field."""

    type: ActivityType | UnsetType = UNSET
    started_at: Instant | UnsetType = UNSET
    duration_s: Seconds | UnsetType = UNSET
    distance_m: Metres | UnsetType | None = UNSET
    calories: Kilocalories | UnsetType | None = UNSET
    notes: Notes | UnsetType | None = UNSET


class Activity(Struct, frozen=True):
    """A stored activity."""

    id: ActivityId
    type: ActivityType
    started_at: datetime
    duration_s: int
    distance_m: float | None
    calories: int | None
    notes: str | None
    created_at: datetime
    updated_at: datetime
    photo_ids: list[PhotoId]


class Photo(Struct, frozen=True):
    """A stored photo; its bytes are in the bucket."""

    id: PhotoId
    content_type: str
