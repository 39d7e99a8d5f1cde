"""The job engine beside a million waiting jobs, and its targets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from statistics import median

from tests.bench.benchmarks.waiting import (
    idle_writes,
    latency_beside_paused_kind,
    restarts_beside_waiting_jobs,
    return_after_flush,
)
from tests.bench.contenders.activelog import ActiveLog, open_activelog
from tests.bench.contenders.contender import Bench
from tests.bench.environment import Environment
from tests.bench.stamps import Stamps
from tests.bench.table import Row

NEEDS = ("DATABASE_URL", "REDIS_URL")
VERSIONS = ("arq", "asyncpg", "redis", "uvloop")
NOTES = "The waiting jobs are due, and wait in a paused queue or belong to a paused kind."

WAITING = 1_000_000
WAITING_OF_KIND = 100_000
QUICK = 20
"""--quick divides the numbers of waiting jobs by this."""


async def bench(environment: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    async with open_activelog(environment) as ours:
        stamps = Stamps(environment.folder / "stamps")
        frame = Bench(environment, stamps, {"ours": ours}, rounds, quick)
        waiting = WAITING // (QUICK if quick else 1)
        of_kind = WAITING_OF_KIND // (QUICK if quick else 1)
        parts: dict[str, Callable[[], Awaitable[list[Row]]]] = {
            "paused-kind": lambda: _paused_kind(frame, ours, of_kind),
            "kill": lambda: _kill(frame, ours, waiting),
            "idle": lambda: _idle(frame, ours, waiting),
            "flush": lambda: _flush(frame, ours, waiting),
        }
        return [row for name, part in parts.items() if only in name for row in await part()]


async def _paused_kind(bench: Bench, ours: ActiveLog, waiting: int) -> list[Row]:
    count = 50 if bench.quick else 200
    rounds = [
        await latency_beside_paused_kind(bench, ours, waiting=waiting, count=count)
        for _ in range(bench.rounds)
    ]
    p50s = [median(waits) * 1000 for waits in rounds]
    p99s = [waits[int(len(waits) * 0.99)] * 1000 for waits in rounds]
    return [
        Row(
            f"start of another job in the queue, {waiting:,} jobs of a paused kind",
            ours.name,
            f"p50 {median(p50s):.1f} ms, p99 {', '.join(f'{p99:.1f}' for p99 in p99s)} ms",
            "p99 <= 50 ms",
            max(p99s) <= 50,
        )
    ]


async def _kill(bench: Bench, ours: ActiveLog, waiting: int) -> list[Row]:
    worst = [
        max(await restarts_beside_waiting_jobs(bench, ours, waiting=waiting))
        for _ in range(bench.rounds)
    ]
    return [
        Row(
            f"restart after kill -9, {waiting:,} jobs in a paused queue",
            ours.name,
            f"at most {', '.join(f'{wait:.1f}' for wait in worst)} s",
            "p99 <= 12 s",
            max(worst) <= 12,
        )
    ]


async def _idle(bench: Bench, ours: ActiveLog, waiting: int) -> list[Row]:
    seconds = 10 if bench.quick else 60
    seen = [
        await idle_writes(bench, ours, waiting=waiting, seconds=seconds)
        for _ in range(bench.rounds)
    ]
    return [
        Row(
            f"rows written a second by an idle worker, {waiting:,} waiting jobs",
            ours.name,
            ", ".join(f"{rate:.1f}" for rate in seen),
            "<= 5",
            max(seen) <= 5,
        )
    ]


async def _flush(bench: Bench, ours: ActiveLog, waiting: int) -> list[Row]:
    seen = [await return_after_flush(bench, ours, waiting=waiting) for _ in range(bench.rounds)]
    started = [result.critical_started for result in seen]
    back = [result.all_back for result in seen]
    what = f"after FLUSHALL, {waiting:,} waiting jobs"
    return [
        Row(
            f"start of waiting critical jobs {what}",
            ours.name,
            f"{', '.join(f'{seconds:.1f}' for seconds in started)} s",
            "<= 5 s",
            max(started) <= 5,
        ),
        Row(
            f"all ids back in Redis {what}",
            ours.name,
            f"{', '.join(f'{seconds:.0f}' for seconds in back)} s",
            "<= 60 s",
            max(back) <= 60,
        ),
    ]
