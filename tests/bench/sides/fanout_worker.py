"""`arq tests.bench.sides.fanout_worker.WorkerSettings`: fans out without a throttle to letters that
are written nowhere, and runs the bench's jobs beside them."""

from __future__ import annotations

from tests.bench.sides import activelog_worker  # first, so that its handlers are known
from tests.kit.fanout_worker import WorkerSettings

__all__ = ["WorkerSettings", "activelog_worker"]
