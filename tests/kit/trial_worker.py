"""`arq tests.kit.trial_worker.WorkerSettings`: the real worker, with the handlers of the trials."""

from __future__ import annotations

from tests.kit import trials
from worker import WorkerSettings

__all__ = ["WorkerSettings", "trials"]
