"""The real worker with a clock that always shows noon.

`arq tests.deploy.worker.WorkerSettings`
"""

from __future__ import annotations

from tests.support.schedules import fixed_clock
from worker import worker_settings_from_environment

__all__ = ["WorkerSettings"]

WorkerSettings = worker_settings_from_environment(clock=fixed_clock("2026-11-24 12:00"))
