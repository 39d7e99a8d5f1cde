"""The nightly cleanup: how long things are kept, and the statements that remove what is older."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import msgspec
import structlog

from app.cleanup import statements
from app.cleanup.orphans import WALKS, Walk
from app.exports.requests import abort_stale_uploads
from app.jobs import Run, handles
from app.jobs.schedules import ScheduledJob, scheduled
from app.jobs.schedules.fan_out import save_counts
from app.jobs.schedules.statements import clock
from app.postgres.database import Database
from app.postgres.statements import Queryable
from app.s3 import Bucket
from app.settings import Retention, Settings
from app.users.jobs import EraseUser


@scheduled(hour=2, grace=timedelta(days=1), dry_run=True)
class Cleanup(ScheduledJob, frozen=True):
    """Delete data that is past its retention."""

    kind = "cleanup:daily"
    timeout = timedelta(hours=1)


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BATCH = 1000


class Remove(Protocol):
    """A statement that removes at most `most` old rows, or counts them in a dry run."""

    def __call__(
        self, db: Queryable, /, *, before: datetime, most: int | None, dry_run: bool
    ) -> Awaitable[int]: ...


class Sweep(NamedTuple):
    """Rows of one kind. A batch is dealt with in a transaction of its own."""

    what: str
    remove: Remove
    keep: timedelta = timedelta(0)
    """How long after they were deleted, ended or expired."""


async def _erase(db: Queryable, *, before: datetime, most: int | None, dry_run: bool) -> int:
    """Have accounts erased whose own erasure died: a row that is removed here would leave objects
    in the bucket that nobody knows of."""
    kind, queue = EraseUser.kind, EraseUser.queue
    return await statements.enqueue_erasures(
        db, kind=kind, queue=queue, before=before, most=most, dry_run=dry_run
    )


def sweeps(keep: Retention) -> Sequence[Sweep]:
    """All of them, in their order. What has no setting is useless by a rule of its own."""
    return (
        Sweep("erasures", _erase, keep.deleted),
        Sweep("activities", statements.remove_activities, keep.deleted),
        Sweep("sessions", statements.remove_sessions),
        Sweep("account_tokens", statements.remove_account_tokens, DAY),
        Sweep("reset_requests", statements.remove_reset_requests, 2 * HOUR),
        Sweep("idempotency_keys", statements.remove_idempotency_keys, DAY),
        Sweep("news", statements.remove_news, DAY),
        Sweep("exports", statements.remove_exports),
        Sweep("jobs", statements.remove_jobs, keep.jobs),
        Sweep("dead_letters", statements.remove_dead_letters, keep.dead_letters),
        Sweep("runs", statements.remove_runs, keep.runs),
        Sweep("emails", statements.remove_emails, keep.emails),
        Sweep("workers", statements.remove_workers, DAY),
    )


log = structlog.get_logger()


class Position(msgspec.Struct, frozen=True):
    """What was removed so far, over all attempts, and the last object of each kind looked at."""

    counts: dict[str, int] = {}
    walked: dict[str, str] = {}

    def counted(self, what: str, removed: int, last: str | None = None) -> Position:
        counts = {**self.counts, what: self.counts.get(what, 0) + removed}
        walked = self.walked if last is None else {**self.walked, what: last}
        return Position(counts, walked)


async def clean(run: Run, bucket: Bucket, keep: Retention, *, now: datetime) -> None:
    """Remove what is past its time, and end the job with the counts of it.

    An attempt that was cut short is gone on from: rows are looked for again, the bucket is walked
    from where it was. Objects come last, so that those of removed rows go in the same night.

    Raises:
        Unavailable: the bucket does not answer; the rows are removed by then.
        LeaseLost: the job is another worker's now.
    """
    all_sweeps = sweeps(keep)
    kinds = [*(sweep.what for sweep in all_sweeps), *(walk.what for walk in WALKS)]
    position = run.position(Position) or Position(dict.fromkeys(kinds, 0))
    for sweep in all_sweeps:
        position = await _sweep(run, sweep, position, now)
    for walk in WALKS:
        position = await _walk(run, bucket, walk, position, now)
    await abort_stale_uploads(bucket, now)
    async with run.completion() as tx:
        await save_counts(tx, run, position.counts)
    log.info("cleanup.done", **position.counts)


async def count(run: Run, db: Queryable, bucket: Bucket, keep: Retention, *, now: datetime) -> None:
    """A dry run: count what a cleanup would remove, and remove nothing.

    Objects of rows that it would remove are not counted: their rows still name them.
    """
    counts = {
        sweep.what: await sweep.remove(db, before=now - sweep.keep, most=None, dry_run=True)
        for sweep in sweeps(keep)
    }
    for walk in WALKS:
        counts[walk.what] = 0
        async for page in bucket.pages(walk.prefix):
            counts[walk.what] += len(await walk.orphans(db, page, now))
    async with run.completion() as tx:
        await save_counts(tx, run, counts)
    log.info("cleanup.would_remove", **counts)


async def _sweep(run: Run, sweep: Sweep, position: Position, now: datetime) -> Position:
    while True:
        async with run.transaction() as tx:
            removed = await sweep.remove(tx, before=now - sweep.keep, most=BATCH, dry_run=False)
            position = position.counted(sweep.what, removed)
            if removed:
                await run.save_position(tx, position)
                await save_counts(tx, run, position.counts)
        if removed < BATCH:
            return position


async def _walk(
    run: Run, bucket: Bucket, walk: Walk, position: Position, now: datetime
) -> Position:
    async for page in bucket.pages(walk.prefix, after=position.walked.get(walk.what, "")):
        async with run.transaction() as tx:
            keys = await walk.orphans(tx, page, now)
        await bucket.delete(keys)
        position = position.counted(walk.what, len(keys), page[-1].key)
        await _keep(run, position)
    return position


async def _keep(run: Run, position: Position) -> None:
    async with run.transaction() as tx:
        await run.save_position(tx, position)
        await save_counts(tx, run, position.counts)


@handles(Cleanup)
async def clean_up(
    job: Cleanup, run: Run, database: Database, bucket: Bucket, settings: Settings
) -> None:
    now = await clock(database)
    if job.dry_run:
        await count(run, database, bucket, settings.retention, now=now)
    else:
        await clean(run, bucket, settings.retention, now=now)
