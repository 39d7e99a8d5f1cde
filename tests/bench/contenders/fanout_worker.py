"""The real worker with an unthrottled fan-out to emails sent nowhere, and the benchmark jobs.

`arq tests.bench.contenders.fanout_worker.WorkerSettings`
"""

from __future__ import annotations

from tests.bench.contenders import activelog_worker  # first, so that its handlers are known
from tests.support.fanout_worker import WorkerSettings

__all__ = ["WorkerSettings", "activelog_worker"]
