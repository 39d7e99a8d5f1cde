"""The real worker with handlers for the sample jobs.

`arq tests.support.sample_worker.WorkerSettings`

The worker fires no schedules, so that test results do not depend on the time of day.
"""

from __future__ import annotations

from tests.support import sample_jobs
from worker import worker_settings_from_environment

__all__ = ["WorkerSettings", "sample_jobs"]

WorkerSettings = worker_settings_from_environment(clock=None)
