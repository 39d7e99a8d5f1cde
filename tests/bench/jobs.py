"""The job engine compared with stock arq and procrastinate, and its targets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from statistics import median
from typing import TypeVar

from tests.bench.benchmarks.idling import idle_cores
from tests.bench.benchmarks.killing import restart_times
from tests.bench.benchmarks.latency import Latency, commit_to_start
from tests.bench.benchmarks.lateness import ends_after_cancel, starts_after_due
from tests.bench.benchmarks.throughput import jobs_per_second, slot_use
from tests.bench.benchmarks.weights import shares_of_starts
from tests.bench.contenders.activelog import ActiveLog, open_activelog
from tests.bench.contenders.contender import Bench, Contender
from tests.bench.contenders.procrastinate import open_procrastinate
from tests.bench.contenders.stock_arq import open_stock_arq
from tests.bench.environment import Environment
from tests.bench.stamps import Stamps
from tests.bench.table import Row

T = TypeVar("T")

NEEDS = ("DATABASE_URL", "REDIS_URL")
VERSIONS = ("arq", "asyncpg", "redis", "uvloop", "procrastinate", "psycopg")
NOTES = (
    "One worker process per contender, on a backlog that was enqueued before it started; "
    "stock arq keeps no results and writes no log lines."
)

OURS, DEFAULT, TUNED, PROCRASTINATE = "ours", "default", "tuned", "procrastinate"
BACKLOG = {OURS: 10_000, DEFAULT: 1_000, TUNED: 6_000, PROCRASTINATE: 2_000}
SLEEPERS = {OURS: 600, DEFAULT: 100, TUNED: 600, PROCRASTINATE: 600}
SINGLES = 300
KILLS = 5
CANCELS = 50
QUICK = 5
"""--quick divides the numbers of jobs by this."""


async def bench(environment: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(open_activelog(environment))
        default, tuned = await stack.enter_async_context(open_stock_arq(environment))
        procrastinate = await stack.enter_async_context(open_procrastinate(environment))
        contenders: dict[str, Contender] = {
            OURS: ours, DEFAULT: default, TUNED: tuned, PROCRASTINATE: procrastinate,
        }  # fmt: skip
        frame = Bench(environment, Stamps(environment.folder / "stamps"), contenders, rounds, quick)
        parts: dict[str, Callable[[], Awaitable[list[Row]]]] = {
            "throughput-10": lambda: _throughput(frame, slots=10, target=3),
            "throughput-100": lambda: _throughput(frame, slots=100, target=5),
            "slots": lambda: _slots(frame),
            "latency": lambda: _latency(frame),
            "idle": lambda: _idle(frame),
            "weights": lambda: _weights(frame, ours),
            "kill": lambda: _kill(frame, ours),
            "lateness": lambda: _lateness(frame, ours),
        }
        return [row for name, part in parts.items() if only in name for row in await part()]


async def _throughput(bench: Bench, *, slots: int, target: float) -> list[Row]:
    async def measure(key: str, contender: Contender) -> float:
        count = BACKLOG[key] // (QUICK if bench.quick else 1)
        return await jobs_per_second(bench, contender, count=count, slots=slots)

    seen = {key: median(values) for key, values in (await _in_turn(bench, measure)).items()}
    what = f"no-ops through the whole path, {slots} slots"
    rows = [Row(what, bench.contenders[OURS].name, f"{seen[OURS]:,.0f}/s")]
    for key, least in ((TUNED, target), (PROCRASTINATE, 5.0), (DEFAULT, None)):
        ratio = seen[OURS] / seen[key]
        rows.append(
            Row(
                what,
                bench.contenders[key].name,
                f"{seen[key]:,.0f}/s: ours is {ratio:.1f}x",
                "" if least is None else f">= {least:.0f}x",
                None if least is None else ratio >= least,
            )
        )
    return rows


async def _slots(bench: Bench) -> list[Row]:
    async def measure(key: str, contender: Contender) -> float:
        count = SLEEPERS[key] // (QUICK if bench.quick else 1)
        return await slot_use(bench, contender, count=count, slots=10)

    seen = {key: median(values) for key, values in (await _in_turn(bench, measure)).items()}
    what = "slots in use, 100 ms jobs, 10 slots"
    return [
        Row(
            what,
            bench.contenders[key].name,
            f"{share:.1%}",
            *_target(key, ">= 97%", share >= 0.97),
        )
        for key, share in seen.items()
    ]


async def _latency(bench: Bench) -> list[Row]:
    async def measure(_key: str, contender: Contender) -> Latency:
        count = SINGLES // (QUICK if bench.quick else 1)
        return await commit_to_start(bench, contender, count=count, slots=10)

    rows = []
    for key, values in (await _in_turn(bench, measure)).items():
        p50, p99 = (median(figures) for figures in zip(*values, strict=True))
        target = _target(key, "p50 <= 3 ms, p99 <= 10 ms", p50 <= 3 and p99 <= 10)
        what = "commit to start, idle worker"
        rows.append(
            Row(what, bench.contenders[key].name, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", *target)
        )
    return rows


async def _idle(bench: Bench) -> list[Row]:
    seconds = 20 / (QUICK if bench.quick else 1)
    rounds = [
        await idle_cores(bench, bench.contenders, slots=10, seconds=seconds)
        for _ in range(bench.rounds)
    ]
    seen = {key: median(shares[key] for shares in rounds) for key in bench.contenders}
    return [
        Row("idle worker", bench.contenders[key].name, f"{share:.2%} of a core",
            *_target(key, "<= 1%", share <= 0.01))
        for key, share in seen.items()
    ]  # fmt: skip


async def _weights(bench: Bench, ours: ActiveLog) -> list[Row]:
    wanted = {"critical": 60, "default": 30, "low": 10}
    rounds = [
        await shares_of_starts(bench, ours, starts=1000, slots=10) for _ in range(bench.rounds)
    ]
    worst = max(abs(seen[queue] - share) for seen in rounds for queue, share in wanted.items())
    seen = " ".join(f"{median(one[queue] for one in rounds):.1f}" for queue in wanted)
    return [
        Row("weights, three full queues, 1,000 starts", ours.name,
            f"{seen}; worst of all rounds off by {worst:.1f}", "60/30/10 within 3", worst <= 3)
    ]  # fmt: skip


async def _kill(bench: Bench, ours: ActiveLog) -> list[Row]:
    waits = sorted(
        [
            wait
            for _ in range(1 if bench.quick else KILLS)
            for wait in await restart_times(bench, ours)
        ]
    )
    return [_waits("restart elsewhere after kill -9", ours, waits, most=12)]


async def _lateness(bench: Bench, ours: ActiveLog) -> list[Row]:
    count = SINGLES // (QUICK if bench.quick else 1)
    starts = await starts_after_due(bench, ours, count=count)
    ends = await ends_after_cancel(bench, ours, count=CANCELS // (QUICK if bench.quick else 1))
    return [
        _waits("start of a deferred job after its due time", ours, starts, most=2),
        _waits("end of a running job after its cancellation", ours, ends, most=2),
    ]


def _waits(what: str, contender: Contender, waits: Sequence[float], *, most: float) -> Row:
    """Return a row for sorted waits in seconds. Their p99 must not exceed `most`."""
    p50, p99 = median(waits), waits[int(len(waits) * 0.99)]
    seen = f"p50 {p50:.2f} s, p99 {p99:.2f} s, of {len(waits)} jobs"
    return Row(what, contender.name, seen, f"p99 <= {most:g} s", p99 <= most)


async def _in_turn(
    bench: Bench, measure: Callable[[str, Contender], Awaitable[T]]
) -> dict[str, list[T]]:
    """Measure the contenders in turn (A, B, C, A, B, C), so that noise affects all of them."""
    seen: dict[str, list[T]] = {key: [] for key in bench.contenders}
    for _ in range(bench.rounds):
        for key, contender in bench.contenders.items():
            seen[key].append(await measure(key, contender))
    return seen


def _target(key: str, target: str, met: bool) -> tuple[str, bool | None]:
    """Return the target and whether ActiveLog met it; other contenders have no targets."""
    return (target, met) if key == OURS else ("", None)
