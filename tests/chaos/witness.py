"""A worker that is never killed, to watch its memory and the connections of all workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import linear_regression
from time import monotonic
from typing import NamedTuple

import psutil

from app.errors import Unavailable
from app.postgres.database import Database
from tests.bench.table import Row
from tests.chaos.crew import WORKER
from tests.support.processes import Program, program

SAMPLE_INTERVAL_S = 1.0
MIN_MINUTES = 5.0
"""Shorter runs have no memory target: caches must fill and allocators must settle first."""
MAX_SLOPE = 0.5
"""The target for memory growth in the second half of a run, in MiB per minute."""
DISCONNECT_TIMEOUT_S = 10.0
"""How long Postgres may take to notice that the last worker has exited."""

CONNECTIONS = (
    "select count(*) from pg_stat_activity where application_name like 'activelog-worker%'"
)


class Sample(NamedTuple):
    minute: float
    mebibytes: float


@dataclass(slots=True)
class Witness:
    worker: Program
    samples: list[Sample] = field(default_factory=list)
    connections: int = 0
    """The most connections that all workers together had to Postgres."""

    async def watch(self, database: Database) -> None:
        """Take samples until cancelled or until the worker exits."""
        process, began = psutil.Process(self.worker.process.pid), monotonic()
        while self.worker.is_running:
            memory = process.memory_info().rss / 2**20
            self.samples.append(Sample((monotonic() - began) / 60, memory))
            try:
                found = await database.fetchval(CONNECTIONS)
            except Unavailable:
                found = 0
            self.connections = max(self.connections, found)
            await asyncio.sleep(SAMPLE_INTERVAL_S)

    def rows(self, minutes: float) -> list[Row]:
        """Return the figures. The memory growth has a target if the run was long enough."""
        settled = self.samples[len(self.samples) // 2 :]
        slope = _slope(settled)
        target = f"<= {MAX_SLOPE} MiB per minute" if minutes >= MIN_MINUTES else ""
        exited = 0 if self.worker.is_running else 1
        seen = f"{self.samples[0].mebibytes:.0f} to {self.samples[-1].mebibytes:.0f} MiB"
        return [
            Row("the spared worker exited", "", str(exited), "0", exited == 0),
            Row("memory of the spared worker", "", seen),
            Row(
                "memory growth of the spared worker, second half",
                "",
                f"{slope:+.2f} MiB per minute",
                target,
                slope <= MAX_SLOPE if target else None,
            ),
            Row("peak connections to Postgres", "all workers", str(self.connections)),
        ]


def _slope(samples: Sequence[Sample]) -> float:
    if len(samples) < 2:
        return 0.0
    return linear_regression(*zip(*samples, strict=True)).slope


@asynccontextmanager
async def witness(environ: Mapping[str, str], database: Database) -> AsyncIterator[Witness]:
    """Run and watch a worker while the block runs, then stop the worker."""
    async with program(*WORKER, environ=environ) as member:
        await member.wait_for_output("worker.started")
        found = Witness(member)
        watching = asyncio.create_task(found.watch(database))
        try:
            yield found
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def connections_left(database: Database) -> Row:
    """Count the workers' connections that Postgres still holds after all workers have exited."""
    deadline = monotonic() + DISCONNECT_TIMEOUT_S
    while (left := await database.fetchval(CONNECTIONS)) and monotonic() < deadline:  # noqa: ASYNC110 # no event to wait for
        await asyncio.sleep(0.2)
    return Row("connections left behind", "", str(left), "0", left == 0)
