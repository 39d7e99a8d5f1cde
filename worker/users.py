"""What accounts leave to be done."""

from __future__ import annotations

from app.jobs import Run
from app.resources import Resources
from app.users.deletion import erase
from app.users.jobs import EraseUser
from worker.attempt import handles


@handles(EraseUser)
async def erase_user(job: EraseUser, run: Run, resources: Resources) -> None:
    await erase(run, resources.bucket, job.user_id)
