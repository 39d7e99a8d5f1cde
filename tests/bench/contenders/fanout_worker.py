"""The real worker with the benchmark jobs and an unthrottled fan-out. It sends no emails.

`arq tests.bench.contenders.fanout_worker.WorkerSettings`
"""

from __future__ import annotations

from tests.bench.contenders import activelog_worker  # first, so that its handlers are registered
from tests.support.fanout_worker import WorkerSettings

__all__ = ["WorkerSettings", "activelog_worker"]
