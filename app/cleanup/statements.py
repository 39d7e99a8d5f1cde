"""Signatures for the statements in `sql/queries/housekeeping.sql`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.activities.activity import PhotoId
from app.jobs import JobId, Queue
from app.postgres.statements import Queryable, statement
from app.users.user import UserId


class PhotoWithOwner(Struct, frozen=True):
    """The fields that make up the key of a photo's object."""

    id: PhotoId
    content_type: str
    user_id: UserId


class RemovedJobs(Struct, frozen=True):
    """The number of jobs in a batch, and the last of them; None if there were none."""

    removed: int
    last: JobId | None


@statement("housekeeping")
async def remove_activities(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def enqueue_erasures(
    db: Queryable, *, kind: str, queue: Queue, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def enqueue_confirmation_reminders(
    db: Queryable, *, kind: str, queue: Queue, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def delete_unconfirmed_accounts(
    db: Queryable, *, kind: str, queue: Queue, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_friend_requests(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_unconfirmed_emails(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_sessions(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_account_tokens(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_reset_requests(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_news(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_idempotency_keys(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_exports(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_jobs(
    db: Queryable, *, before: datetime, after: UUID | None, limit: int | None, dry_run: bool
) -> RemovedJobs: ...


@statement("housekeeping")
async def remove_dead_letters(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_runs(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_emails(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def remove_workers(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int: ...


@statement("housekeeping")
async def count_photos_to_remove(db: Queryable, *, before: datetime) -> int: ...


@statement("housekeeping")
async def database_id(db: Queryable) -> UUID: ...


@statement("housekeeping")
async def photos_by_id(db: Queryable, *, ids: list[UUID]) -> list[PhotoWithOwner]: ...
