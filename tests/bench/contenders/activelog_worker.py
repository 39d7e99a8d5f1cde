"""The real worker with the benchmark's jobs.

`arq tests.bench.contenders.activelog_worker.WorkerSettings`
"""

from __future__ import annotations

from app.jobs import Run, handles
from tests.bench.contenders.activelog import TYPES, Noop
from tests.bench.stamps import work
from worker import worker_settings_from_environment

__all__ = ["WorkerSettings"]


async def _noop(job: Noop, _run: Run) -> None:
    await work(job.number, job.seconds)


for job_type in TYPES.values():
    handles(job_type)(_noop)

WorkerSettings = worker_settings_from_environment(clock=None)
"""Settings without schedules: scheduled jobs would take slots from the measured jobs."""
