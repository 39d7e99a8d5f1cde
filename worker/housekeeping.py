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
    database, bucket, keep = resources.database, resources.bucket, resources.settings.retention
    now = await clock(database)
    if job.dry_run:
        await cleaning.count(run, database, bucket, keep, now=now)
    else:
        await cleaning.clean(run, bucket, keep, now=now)
