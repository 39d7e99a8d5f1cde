"""The nightly cleanup."""

from __future__ import annotations

from app.cleanup import cleanup
from app.cleanup.jobs import Cleanup
from app.jobs import Run
from app.jobs.schedules.statements import clock
from app.resources import Resources
from worker.attempt import handles


@handles(Cleanup)
async def clean(job: Cleanup, run: Run, resources: Resources) -> None:
    database, bucket, keep = resources.database, resources.bucket, resources.settings.retention
    now = await clock(database)
    if job.dry_run:
        await cleanup.count(run, database, bucket, keep, now=now)
    else:
        await cleanup.clean(run, bucket, keep, now=now)
