"""The real worker, which records the lag of its event loop.

`arq tests.bench.contenders.exports_worker.WorkerSettings`
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.bench.benchmarks.lagging import record_lag
from worker import worker_settings_from_environment

Real = worker_settings_from_environment(clock=None)


async def _start(ctx: dict[str, Any]) -> None:
    await vars(Real)["on_startup"](ctx)
    ctx["lag"] = asyncio.create_task(record_lag())


WorkerSettings = type("WorkerSettings", (), {**vars(Real), "on_startup": _start})
