"""`arq tests.chaos.worker.WorkerSettings`: the real worker with handlers for the chaos jobs.

The worker fires no schedules, so that only the jobs of the chaos run are counted.
"""

from __future__ import annotations

from tests.chaos import work
from worker import worker_settings_from_environment

__all__ = ["WorkerSettings", "work"]

WorkerSettings = worker_settings_from_environment(clock=None)
