"""`arq tests.chaos.worker.WorkerSettings`: the real worker, with the handlers of the chaos.

It fires no schedules: only what the chaos enqueues is counted.
"""

from __future__ import annotations

from tests.chaos import work
from worker import settings_from_environment

__all__ = ["WorkerSettings", "work"]

WorkerSettings = settings_from_environment(clock=None)
