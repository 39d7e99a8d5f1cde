"""The weekly emails' fan-out to 100,000 users, compared with one enqueue per user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from app import logs
from app.resources import open_resources
from app.settings import Settings
from tests.bench.benchmarks.fanning import Fanout, FanoutContender, measure_fan_out
from tests.bench.contenders.contender import Bench
from tests.bench.environment import Environment
from tests.bench.stamps import Stamps
from tests.bench.table import Row

NEEDS = ("DATABASE_URL", "REDIS_URL")
VERSIONS = ("arq", "asyncpg", "redis", "uvloop")
NOTES = (
    "One worker process with 10 slots, without a throttle, and with emails that are discarded. "
    "Meanwhile it also runs the email jobs, and a critical job every 100 ms."
)

USERS = 100_000
SINGLES = 2_000
QUICK = 5
"""--quick divides the number of users by this."""
OURS, SINGLE = "ActiveLog", "one enqueue per user"


async def bench(environment: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    users = USERS // (QUICK if quick else 1)
    settings = Settings.from_env(environment.environ)
    logs.configure(replace(settings.logs, level="warning"))
    async with open_resources(settings, process="activelog-bench") as resources:
        contender = FanoutContender(resources)
        frame = Bench(environment, Stamps(environment.folder / "stamps"), {}, rounds, quick)
        await contender.create_users(users)
        singles, fanouts, counts = [], [], []
        for _ in range(rounds):
            singles.append(await contender.enqueue_one_by_one(SINGLES))
            fanouts.append(await measure_fan_out(frame, contender))
            counts.append(await contender.count_day())
    return [
        *_rates(f"fan-out to {users:,} users", fanouts, median(singles)),
        *_worker(fanouts),
        Row(f"a day's statistics of {users:,} users", OURS, f"{median(counts):.1f} s"),
    ]


def _rates(what: str, fanouts: Sequence[Fanout], single: float) -> list[Row]:
    rate = median(fanout.enqueued / fanout.seconds for fanout in fanouts)
    ratio = rate / single
    return [
        Row(what, SINGLE, f"{single:,.0f} users/s"),
        Row(what, OURS, f"{rate:,.0f} users/s: {ratio:.1f}x", ">= 10x", ratio >= 10),
        Row("fan-out time", OURS, f"{median(fanout.seconds for fanout in fanouts):.1f} s"),
        Row(
            "until every email's job has run",
            OURS,
            f"{median(fanout.all_run for fanout in fanouts):.1f} s",
        ),
    ]


def _worker(fanouts: Sequence[Fanout]) -> list[Row]:
    growth = max(fanout.growth for fanout in fanouts)
    p99 = median(fanout.critical[int(len(fanout.critical) * 0.99)] for fanout in fanouts)
    slowest = max(fanout.critical[-1] for fanout in fanouts)
    seen = f"p99 {p99:.0f} ms, slowest of all rounds {slowest:.0f} ms"
    return [
        Row(
            "memory growth of the worker, worst round",
            OURS,
            f"{growth:.1f} MiB",
            "< 32 MiB",
            growth < 32,
        ),
        Row("critical jobs meanwhile, commit to start", OURS, seen, "<= 1 s", slowest <= 1000),
    ]
