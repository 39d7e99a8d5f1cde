"""The nightly cleanup: what is removed, after how long, and in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec
import structlog

from app.cleanup import statements
from app.cleanup.marker import require_own_bucket
from app.cleanup.orphans import ORPHAN_KINDS, OrphanKind
from app.errors import Conflict
from app.exports.requests import abort_stale_uploads
from app.jobs import Run, handles
from app.jobs.outcomes import Dead
from app.jobs.schedules import ScheduledJob, scheduled
from app.jobs.schedules.fan_out import save_counts
from app.jobs.schedules.statements import clock
from app.postgres.database import Database
from app.postgres.statements import Queryable
from app.s3 import Bucket
from app.settings import Retention, Settings
from app.users.emails import SendConfirmationReminderEmail
from app.users.jobs import EraseUser


@scheduled(hour=2, grace=timedelta(days=1), supports_dry_run=True)
class Cleanup(ScheduledJob, frozen=True):
    """Delete data after its retention period."""

    kind = "cleanup:daily"
    timeout = timedelta(hours=1)

    max_orphans: int | None = None
    """How many objects without a row an operator lets the cleanup remove, if that is more than it
    removes by itself."""


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BATCH_ROWS = 1000
JOBS = "jobs"
"""The name of the finished jobs among the counts."""
MAX_ORPHANS = 1000
"""A cleanup removes so many orphans by itself, or a tenth of the objects, whichever is more. If
there are more, the bucket and the database may not belong together."""


class RemoveStatement(Protocol):
    """A statement that removes at most `limit` old rows, or counts them in a dry run."""

    def __call__(
        self, db: Queryable, /, *, before: datetime, limit: int | None, dry_run: bool
    ) -> Awaitable[int]: ...


class RowsToRemove(NamedTuple):
    """Rows that are removed after their retention period, each batch in its own transaction."""

    name: str
    remove: RemoveStatement
    retention: timedelta = timedelta(0)
    """Counted from the time that the statement compares with `before`, such as `deleted_at`."""


async def _enqueue_erasures(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int:
    """Enqueue a new erasure for each deleted account whose earlier erasure failed.

    The accounts' rows are not removed here: an erasure removes an account's objects first.
    """
    kind, queue = EraseUser.kind, EraseUser.queue
    return await statements.enqueue_erasures(
        db, kind=kind, queue=queue, before=before, limit=limit, dry_run=dry_run
    )


async def _enqueue_confirmation_reminders(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int:
    """Remind the people whose accounts are erased in two days unless they confirm them."""
    kind, queue = SendConfirmationReminderEmail.kind, SendConfirmationReminderEmail.queue
    return await statements.enqueue_confirmation_reminders(
        db, kind=kind, queue=queue, before=before, limit=limit, dry_run=dry_run
    )


async def _delete_unconfirmed_accounts(
    db: Queryable, *, before: datetime, limit: int | None, dry_run: bool
) -> int:
    """Delete the accounts whose address was not confirmed in time, and enqueue their erasure."""
    kind, queue = EraseUser.kind, EraseUser.queue
    return await statements.delete_unconfirmed_accounts(
        db, kind=kind, queue=queue, before=before, limit=limit, dry_run=dry_run
    )


def rows_to_remove(retention: Retention) -> Sequence[RowsToRemove]:
    """Return what the cleanup removes besides finished jobs, in order.

    Periods without a setting are fixed in code.
    """
    return (
        RowsToRemove("confirmation_reminders", _enqueue_confirmation_reminders),
        RowsToRemove("unconfirmed_accounts", _delete_unconfirmed_accounts),
        RowsToRemove("erasures", _enqueue_erasures, retention.deleted),
        RowsToRemove("activities", statements.remove_activities, retention.deleted),
        RowsToRemove("sessions", statements.remove_sessions),
        RowsToRemove("account_tokens", statements.remove_account_tokens, DAY),
        RowsToRemove("reset_requests", statements.remove_reset_requests, 2 * HOUR),
        RowsToRemove("unconfirmed_emails", statements.remove_unconfirmed_emails, DAY),
        RowsToRemove("friend_requests", statements.remove_friend_requests, 30 * DAY),
        RowsToRemove("idempotency_keys", statements.remove_idempotency_keys, DAY),
        RowsToRemove("news", statements.remove_news, DAY),
        RowsToRemove("exports", statements.remove_exports),
        RowsToRemove("dead_letters", statements.remove_dead_letters, retention.dead_letters),
        RowsToRemove("runs", statements.remove_runs, retention.runs),
        RowsToRemove("emails", statements.remove_emails, retention.emails),
        RowsToRemove("workers", statements.remove_workers, DAY),
    )


log = structlog.get_logger()


class CleanupPosition(msgspec.Struct, frozen=True):
    """How much all attempts have removed so far, and the last job and the last key of each
    `OrphanKind` that were checked."""

    counts: dict[str, int] = {}
    last_keys: dict[str, str] = {}
    photos: int = 0
    """The photos that lose their rows in this cleanup."""
    may_remove_orphans: bool = False
    """Whether the orphans have been counted and are not too many."""

    def plus(self, name: str, removed: int, last_key: str | None = None) -> CleanupPosition:
        """Return the position after a batch."""
        counts = {**self.counts, name: self.counts.get(name, 0) + removed}
        last_keys = self.last_keys if last_key is None else {**self.last_keys, name: last_key}
        return msgspec.structs.replace(self, counts=counts, last_keys=last_keys)


async def remove_old_data(
    run: Run,
    bucket: Bucket,
    retention: Retention,
    *,
    now: datetime,
    max_orphans: int | None = None,
) -> None:
    """Remove data after its retention period, and record how many rows and objects were removed.

    After an interruption, the next attempt goes through the rows again, but through finished jobs
    and the bucket only from the last one checked. Objects come last, so that the objects of removed
    rows are removed the same night.

    Raises:
        Dead: the bucket belongs to another database, or too many of its objects have no row. The
            rows have been removed by then, and no object.
        Unavailable: the bucket is unavailable; the rows have been removed by then.
        LeaseLost: this attempt has lost its job.
    """
    all_rows = rows_to_remove(retention)
    names = [*(rows.name for rows in all_rows), JOBS, *(kind.name for kind in ORPHAN_KINDS)]
    position = run.position(CleanupPosition)
    if position is None:
        async with run.transaction() as tx:
            photos = await statements.count_photos_to_remove(tx, before=now - retention.deleted)
            position = CleanupPosition(dict.fromkeys(names, 0), photos=photos)
            await run.save_position(tx, position)
    for rows in all_rows:
        position = await _remove_rows(run, rows, position, now)
    position = await _remove_jobs(run, position, before=now - retention.jobs)
    if not position.may_remove_orphans:
        await _require_few_orphans(run, bucket, position, now, max_orphans)
        position = msgspec.structs.replace(position, may_remove_orphans=True)
        await _save_position(run, position)
    for kind in ORPHAN_KINDS:
        position = await _remove_orphans(run, bucket, kind, position, now)
    await abort_stale_uploads(bucket, now)
    async with run.completion() as tx:
        await save_counts(tx, run, position.counts)
    log.info("cleanup.finished", **position.counts)


async def count_old_data(
    run: Run, db: Queryable, bucket: Bucket, retention: Retention, *, now: datetime
) -> None:
    """Dry run: count what a cleanup would remove, and remove nothing.

    Objects whose rows would be removed are not counted, because these rows still exist.

    Raises:
        Unavailable: the bucket is unavailable.
        LeaseLost: this attempt has lost its job.
    """
    counts = {
        rows.name: await rows.remove(db, before=now - rows.retention, limit=None, dry_run=True)
        for rows in rows_to_remove(retention)
    }
    jobs = await statements.remove_jobs(
        db, before=now - retention.jobs, after=None, limit=None, dry_run=True
    )
    counts[JOBS] = jobs.removed
    for kind in ORPHAN_KINDS:
        counts[kind.name] = 0
        async for page in bucket.pages(kind.prefix):
            counts[kind.name] += len(await kind.orphans(db, page, now))
    async with run.completion() as tx:
        await save_counts(tx, run, counts)
    log.info("cleanup.dry_run_finished", **counts)


async def _remove_rows(
    run: Run, rows: RowsToRemove, position: CleanupPosition, now: datetime
) -> CleanupPosition:
    """Remove rows in batches, until a batch is not full."""
    while True:
        async with run.transaction() as tx:
            before = now - rows.retention
            removed = await rows.remove(tx, before=before, limit=BATCH_ROWS, dry_run=False)
            position = position.plus(rows.name, removed)
            if removed:
                await run.save_position(tx, position)
                await save_counts(tx, run, position.counts)
        if removed < BATCH_ROWS:
            return position


async def _remove_jobs(run: Run, position: CleanupPosition, *, before: datetime) -> CleanupPosition:
    """Remove finished jobs in batches, each after the last job of the one before.

    There may be millions of them. A batch that began at the first job would read the index entries
    of all jobs that earlier batches have removed.
    """
    while True:
        after = position.last_keys.get(JOBS)
        async with run.transaction() as tx:
            batch = await statements.remove_jobs(
                tx,
                before=before,
                after=None if after is None else UUID(after),
                limit=BATCH_ROWS,
                dry_run=False,
            )
            if batch.last is not None:
                position = position.plus(JOBS, batch.removed, str(batch.last))
                await run.save_position(tx, position)
                await save_counts(tx, run, position.counts)
        if batch.removed < BATCH_ROWS:
            return position


async def _require_few_orphans(
    run: Run, bucket: Bucket, position: CleanupPosition, now: datetime, max_orphans: int | None
) -> None:
    """Check, before any object is removed, that the bucket belongs to this database.

    Objects that lose their rows in this cleanup are expected, and do not count.

    Raises:
        Dead: the bucket belongs to another database, or too many of its objects have no row.
    """
    async with run.transaction() as tx:
        ours = await statements.database_id(tx)
    try:
        if await require_own_bucket(bucket, ours):
            log.info("bucket.marked", bucket=bucket.name, database=str(ours))
    except Conflict as conflict:
        raise Dead(conflict.detail) from conflict
    objects = orphans = 0
    for kind in ORPHAN_KINDS:
        async for page in bucket.pages(kind.prefix):
            async with run.transaction() as tx:
                orphans += len(await kind.orphans(tx, page, now))
            objects += len(page)
    limit = max(MAX_ORPHANS, objects // 10, max_orphans or 0)
    if orphans - position.photos - position.counts["exports"] > limit:
        raise Dead(
            f"{orphans} of the {objects} objects in the bucket {bucket.name} have no row, so no"
            " object was removed. Check that S3_BUCKET and DATABASE_URL belong together. If they"
            f" do, run `just trigger {Cleanup.kind} --max-orphans {orphans}`."
        )


async def _remove_orphans(
    run: Run, bucket: Bucket, kind: OrphanKind, position: CleanupPosition, now: datetime
) -> CleanupPosition:
    """Remove the orphans from each page of the listing, starting after the last key."""
    async for page in bucket.pages(kind.prefix, after=position.last_keys.get(kind.name, "")):
        async with run.transaction() as tx:
            keys = await kind.orphans(tx, page, now)
        await bucket.delete(keys)
        position = position.plus(kind.name, len(keys), page[-1].key)
        await _save_position(run, position)
    return position


async def _save_position(run: Run, position: CleanupPosition) -> None:
    async with run.transaction() as tx:
        await run.save_position(tx, position)
        await save_counts(tx, run, position.counts)


@handles(Cleanup)
async def clean_up(
    job: Cleanup, run: Run, database: Database, bucket: Bucket, settings: Settings
) -> None:
    now = await clock(database)
    if job.dry_run:
        await count_old_data(run, database, bucket, settings.retention, now=now)
    else:
        await remove_old_data(run, bucket, settings.retention, now=now, max_orphans=job.max_orphans)
