"""The nightly cleanup."""

from __future__ import annotations

from app.housekeeping import cleaning
from app.housekeeping.jobs import Cleanup
from app.jobs import Run
from app.jobs.scheduling.statements import clock
from app.resources import Resources
from worker.handler import handles


@handles(Cleanup)
async def clean(job: Cleanup, run: Run, resources: Resources) -> None:
    database, bucket = resources.database, resources.bucket
    now = await clock(database)
    if job.dry_run:
        await cleaning.count(run, database, bucket, now=now)
    else:
        await cleaning.clean(run, bucket, now=now)
