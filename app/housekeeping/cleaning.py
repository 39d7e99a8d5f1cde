"""The nightly cleanup, in batches that hold no lock for long, and counted."""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog

from app.exports.expiry import take_back_stale
from app.housekeeping.orphans import WALKS, Walk
from app.housekeeping.sweeps import BATCH, Sweep, sweeps
from app.jobs import Run
from app.jobs.scheduling.fanout import note_counts
from app.postgres.query import Queryable
from app.s3 import Bucket
from app.settings import Retention

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
    await take_back_stale(bucket, now)
    async with run.completion() as tx:
        await note_counts(tx, run, position.counts)
    log.info("cleanup.done", **position.counts)


async def count(run: Run, db: Queryable, bucket: Bucket, keep: Retention, *, now: datetime) -> None:
    """A dry run: count what a cleanup would remove, and remove nothing.

    Objects of rows that it would remove are not counted: their rows still name them.
    """
    counts = {
        sweep.what: await sweep.remove(db, now - sweep.keep, None, True) for sweep in sweeps(keep)
    }
    for walk in WALKS:
        counts[walk.what] = 0
        async for page in bucket.pages(walk.prefix):
            counts[walk.what] += len(await walk.orphans(db, page, now))
    async with run.completion() as tx:
        await note_counts(tx, run, counts)
    log.info("cleanup.would_remove", **counts)


async def _sweep(run: Run, sweep: Sweep, position: Position, now: datetime) -> Position:
    while True:
        async with run.transaction() as tx:
            removed = await sweep.remove(tx, now - sweep.keep, BATCH, False)
            position = position.counted(sweep.what, removed)
            if removed:
                await run.keep_position(tx, position)
                await note_counts(tx, run, position.counts)
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
        await run.keep_position(tx, position)
        await note_counts(tx, run, position.counts)
