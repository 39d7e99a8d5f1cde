"""Response times of the pages when the tables are full."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import httpx

from app.pages.session import session_cookie_name
from app.resources import open_resources
from app.settings import Settings
from tests.bench.benchmarks.browsing import EXPORTS, JOBS, fill_tables, path_values, response_times
from tests.bench.environment import Environment
from tests.bench.table import Row
from tests.support.processes import running_api

NEEDS = ("DATABASE_URL", "REDIS_URL")
VERSIONS = ("litestar", "uvicorn", "uvloop", "jinja2", "asyncpg")
NOTES = (
    f"One API process and one client, {JOBS:,} jobs and {EXPORTS:,} exports in the tables; the "
    "user is an operator with 1,000 activities and a hundred exports."
)

TIMES = 200
QUICK = 5
"""--quick divides TIMES by this."""
WARMUP_REQUESTS = 10
TARGET_MS = 50
"""The p95 target, in milliseconds."""

PAGES = (
    "/activities",
    "/exports",
    "/exports/{export}",
    "/reports",
    "/friends",
    "/settings",
    "/ops",
    "/ops/queues",
    "/ops/jobs",
    "/ops/jobs?state=done",
    "/ops/jobs?state=dead&kind=export:generate",
    "/ops/jobs?queue=critical",
    "/ops/jobs?user={user}",
    "/ops/jobs?search=reason 42",
    "/ops/jobs?search=no such words",
    "/ops/jobs/{job}",
    "/ops/dead-letters",
    "/ops/dead-letters/{fingerprint}",
    "/ops/schedules",
    "/ops/schedules/stats:daily",
    "/ops/workers",
)


async def bench(environment: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    settings = Settings.from_env(environment.environ)
    async with open_resources(settings, process="activelog-bench") as resources:
        reader = await fill_tables(resources.database)
        named = await path_values(resources.database, reader)
    cookies = {session_cookie_name(settings): reader.token}
    wanted = {page: page.format_map(named) for page in PAGES if only in page}
    taken: dict[str, list[list[float]]] = {path: [] for path in wanted}
    async with running_api(environment.environ) as (_, address):
        base = address.removesuffix("/api/v1")
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as client:
            for path in wanted.values():
                await response_times(client, path, WARMUP_REQUESTS)
            for _ in range(rounds):
                for page, path in wanted.items():
                    taken[page].append(
                        await response_times(client, path, TIMES // (QUICK if quick else 1))
                    )
    return [_row(path, found) for path, found in taken.items()]


def _row(path: str, rounds: Sequence[Sequence[float]]) -> Row:
    p50 = median(median(one) for one in rounds)
    p95 = median(one[int(len(one) * 0.95)] for one in rounds)
    seen = f"p50 {p50:.1f} ms, p95 {p95:.1f} ms"
    return Row(path, "ActiveLog", seen, f"p95 < {TARGET_MS} ms", p95 < TARGET_MS)
