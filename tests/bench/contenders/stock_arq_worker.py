"""`arq tests.bench.contenders.stock_arq_worker.WorkerSettings`: a worker of stock arq."""

from __future__ import annotations

import os
from typing import Any

from tests.bench.contenders.stock_arq import arq_redis
from tests.bench.stamps import work

QUIET = {"version": 1, "loggers": {"arq": {"level": "WARNING"}}}
"""arq writes two lines a job otherwise, which would count against it."""


async def noop(_ctx: dict[str, Any], number: int, seconds: float) -> None:
    await work(number, seconds)


class WorkerSettings:
    functions = (noop,)
    redis_settings = arq_redis(os.environ)
    max_jobs = int(os.environ["BENCH_SLOTS"])
    poll_delay = float(os.environ["BENCH_POLL_DELAY"])
    keep_result = 0
