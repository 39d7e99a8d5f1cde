"""`arq tests.bench.contenders.stock_arq_worker.WorkerSettings`: a stock arq worker."""

from __future__ import annotations

import os
from typing import Any

from tests.bench.contenders.stock_arq import arq_redis
from tests.bench.stamps import work

QUIET = {"version": 1, "loggers": {"arq": {"level": "WARNING"}}}
"""By default arq logs two lines per job, which would slow it down."""


async def noop(_ctx: dict[str, Any], number: int, seconds: float) -> None:
    await work(number, seconds)


class WorkerSettings:
    functions = (noop,)
    redis_settings = arq_redis(os.environ)
    max_jobs = int(os.environ["BENCH_SLOTS"])
    poll_delay = float(os.environ["BENCH_POLL_DELAY"])
    keep_result = 0
