"""`arq tests.chaos.worker.WorkerSettings`: the real worker, with the handlers of the chaos."""

from __future__ import annotations

from tests.chaos import work
from worker import WorkerSettings

__all__ = ["WorkerSettings", "work"]
