"""A procrastinate worker, started from Python as in its documentation."""

from __future__ import annotations

import asyncio
import os

from tests.bench.contenders.procrastinate import procrastinate_app


async def main() -> None:
    app = procrastinate_app(os.environ)
    async with app.open_async():
        await app.run_worker_async(concurrency=int(os.environ["BENCH_SLOTS"]))


if __name__ == "__main__":
    asyncio.run(main())
