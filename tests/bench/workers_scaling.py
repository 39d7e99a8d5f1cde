"""One, two and four worker processes: how throughput scales with their number."""

from __future__ import annotations

import os
from collections.abc import Sequence
from statistics import median

from tests.bench.benchmarks.scaling import Scaled, side_by_side
from tests.bench.contenders.activelog import open_activelog
from tests.bench.contenders.contender import Bench
from tests.bench.environment import Environment
from tests.bench.stamps import Stamps
from tests.bench.table import Row

NEEDS = ("DATABASE_URL", "REDIS_URL")
VERSIONS = ("arq", "asyncpg", "redis", "uvloop")
NOTES = (
    "Worker processes with 10 slots each, on a backlog that was enqueued before they started; "
    "no-ops measure only the engine, jobs of 100 ms wait as if for a mail server or a bucket."
)

PROCESSES = (1, 2, 4)
NOOPS = 20_000
SLEEPERS = 400
"""The number of jobs of 100 ms per process."""
SLEEP = 0.1
QUICK = 5
"""--quick divides the numbers of jobs by this."""


async def bench(environment: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    scale = QUICK if quick else 1
    rows: list[Row] = []
    async with open_activelog(environment) as ours:
        frame = Bench(environment, Stamps(environment.folder / "stamps"), {}, rounds, quick)
        for what, seconds in (("no-ops", 0.0), ("jobs of 100 ms", SLEEP)):
            if only not in what:
                continue
            seen: dict[int, list[Scaled]] = {processes: [] for processes in PROCESSES}
            for _ in range(rounds):
                for processes in PROCESSES:
                    count = (SLEEPERS * processes if seconds else NOOPS) // scale
                    one = await side_by_side(
                        frame, ours, processes=processes, count=count, seconds=seconds
                    )
                    seen[processes].append(one)
            rows += _compared(what, seen)
    return rows


def _compared(what: str, seen: dict[int, list[Scaled]]) -> list[Row]:
    cores = os.cpu_count() or 1
    alone = median(one.rate for one in seen[1])
    return [
        Row(
            what,
            f"{processes} worker process{'es' if processes > 1 else ''}",
            f"{_median(found, 0):,.0f}/s: {_median(found, 0) / alone:.1f}x; workers use "
            f"{_median(found, 1):.1f}, everything uses {_median(found, 2):.1f} of {cores} cores",
        )
        for processes, found in seen.items()
    ]


def _median(found: Sequence[Scaled], figure: int) -> float:
    return median(one[figure] for one in found)
