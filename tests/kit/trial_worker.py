"""`arq tests.kit.trial_worker.WorkerSettings`: the real worker, with the handlers of the trials.

It fires no schedules: what a test sees does not depend on when it runs.
"""

from __future__ import annotations

from tests.kit import trials
from worker import settings_from_environment

__all__ = ["WorkerSettings", "trials"]

WorkerSettings = settings_from_environment(clock=None)
