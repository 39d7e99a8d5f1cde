"""The real worker with handlers made for tests.

`arq tests.support.sample_worker.WorkerSettings`

It fires no schedules: what a test sees does not depend on when it runs.
"""

from __future__ import annotations

from tests.support import sample_jobs
from worker import settings_from_environment

__all__ = ["WorkerSettings", "sample_jobs"]

WorkerSettings = settings_from_environment(clock=None)
