"""The weekly emails' fan-out to 100,000 users, beside one enqueue a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from app import logs
from app.resources import open_resources
from app.settings import Settings
from tests.bench.benchmarks.fanning import Fanout, FanoutSide, fan_out_meanwhile
from tests.bench.contenders.side import Bench
from tests.bench.environment import Ground
from tests.bench.stamps import Stamps
from tests.bench.table import Row

NEEDS = ("DATABASE_URL", "REDIS_URL")
VERSIONS = ("arq", "asyncpg", "redis", "uvloop")
NOTES = (
    "One worker process of 10 slots, the throttle lifted, letters that are written nowhere; while "
    "it fans out it runs them, and a critical job every 100 ms."
)

USERS = 100_000
SINGLES = 2_000
QUICK = 5
"""By how much --quick divides the users."""
OURS, SINGLE = "ActiveLog", "one enqueue a user"


async def bench(ground: Ground, *, rounds: int, quick: bool, only: str) -> list[Row]:
    users = USERS // (QUICK if quick else 1)
    settings = Settings.from_env(ground.environ)
    logs.configure(replace(settings.logs, level="warning"))
    async with open_resources(settings, process="activelog-bench") as resources:
        side = FanoutSide(resources)
        frame = Bench(ground, Stamps(ground.folder / "stamps"), {}, rounds, quick)
        await side.make_crowd(users)
        singles, fanouts, counts = [], [], []
        for _ in range(rounds):
            singles.append(await side.one_by_one(SINGLES))
            fanouts.append(await fan_out_meanwhile(frame, side))
            counts.append(await side.count_day())
    return [
        *_rates(f"fan-out to {users:,} users", fanouts, median(singles)),
        *_worker(fanouts),
        Row(f"a day's statistics of {users:,} users", OURS, f"{median(counts):.1f} s"),
    ]


def _rates(what: str, fanouts: Sequence[Fanout], single: float) -> list[Row]:
    rate = median(one.enqueued / one.seconds for one in fanouts)
    ratio = rate / single
    return [
        Row(what, SINGLE, f"{single:,.0f} users/s"),
        Row(what, OURS, f"{rate:,.0f} users/s: {ratio:.1f}x", ">= 10x", ratio >= 10),
        Row("its time", OURS, f"{median(one.seconds for one in fanouts):.1f} s"),
        Row("until every letter has run", OURS, f"{median(one.all_run for one in fanouts):.1f} s"),
    ]


def _worker(fanouts: Sequence[Fanout]) -> list[Row]:
    growth = max(one.growth for one in fanouts)
    p99 = median(one.critical[int(len(one.critical) * 0.99)] for one in fanouts)
    slowest = max(one.critical[-1] for one in fanouts)
    seen = f"p99 {p99:.0f} ms, slowest of all rounds {slowest:.0f} ms"
    return [
        Row("its worker grows, worst round", OURS, f"{growth:.1f} MiB", "< 32 MiB", growth < 32),
        Row("critical jobs meanwhile, commit to start", OURS, seen, "<= 1 s", slowest <= 1000),
    ]
