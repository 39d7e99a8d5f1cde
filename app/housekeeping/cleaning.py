"""The nightly cleanup, in batches that hold no lock for long, and counted."""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog

from app.housekeeping.orphans import PREFIX, orphans
from app.housekeeping.sweeps import SWEEPS, Sweep
from app.jobs import Run
from app.jobs.scheduling.fanout import note_counts
from app.postgres.query import Queryable
from app.s3 import Bucket

log = structlog.get_logger()

PHOTOS = "photos"


class Position(msgspec.Struct, frozen=True):
    """What was removed so far, over all attempts, and the last object looked at."""

    counts: dict[str, int] = {}
    photos_after: str = ""

    def counted(self, what: str, removed: int, photos_after: str = "") -> Position:
        counts = {**self.counts, what: self.counts.get(what, 0) + removed}
        return Position(counts, photos_after or self.photos_after)


async def clean(run: Run, bucket: Bucket, *, now: datetime) -> None:
    """Remove what is past its time, and end the job with the counts of it.

    An attempt that was cut short is gone on from: rows are looked for again, the bucket is walked
    from where it was. Photos come last, so that those of removed activities go in the same night.

    Raises:
        Unavailable: the bucket does not answer; the rows are removed by then.
        LeaseLost: the job is another worker's now.
    """
    position = run.position(Position) or Position(dict.fromkeys(_kinds(), 0))
    for sweep in SWEEPS:
        position = await _sweep(run, sweep, position, now)
    async for page in bucket.pages(PREFIX, after=position.photos_after):
        async with run.transaction() as tx:
            keys = await orphans(tx, page, now)
        await bucket.delete(keys)
        position = position.counted(PHOTOS, len(keys), page[-1].key)
        await _keep(run, position)
    async with run.completion() as tx:
        await note_counts(tx, run, position.counts)
    log.info("cleanup.done", **position.counts)


async def count(run: Run, db: Queryable, bucket: Bucket, *, now: datetime) -> None:
    """A dry run: count what a cleanup would remove, and remove nothing.

    Photos of activities that it would remove are not counted: their rows still name them.
    """
    counts = {sweep.what: await sweep.remove(db, now - sweep.keep, None, True) for sweep in SWEEPS}
    counts[PHOTOS] = 0
    async for page in bucket.pages(PREFIX):
        counts[PHOTOS] += len(await orphans(db, page, now))
    async with run.completion() as tx:
        await note_counts(tx, run, counts)
    log.info("cleanup.would_remove", **counts)


async def _sweep(run: Run, sweep: Sweep, position: Position, now: datetime) -> Position:
    while True:
        async with run.transaction() as tx:
            removed = await sweep.remove(tx, now - sweep.keep, sweep.batch, False)
            position = position.counted(sweep.what, removed)
            if removed:
                await run.keep_position(tx, position)
                await note_counts(tx, run, position.counts)
        if removed < sweep.batch:
            return position


async def _keep(run: Run, position: Position) -> None:
    async with run.transaction() as tx:
        await run.keep_position(tx, position)
        await note_counts(tx, run, position.counts)


def _kinds() -> list[str]:
    return [*(sweep.what for sweep in SWEEPS), PHOTOS]
