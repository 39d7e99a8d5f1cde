"""Processes that are never killed: whether they exit, and whether what they hold grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import linear_regression
from time import monotonic
from typing import NamedTuple

import psutil

from app.postgres.database import Database
from tests.bench.table import Row
from tests.support.processes import Program

SAMPLE_INTERVAL_S = 1.0
MIN_MINUTES = 5.0
"""Shorter runs have no targets: caches must fill and allocators must settle first."""
MAX_SLOPES = {"memory in MiB": 0.5, "descriptors": 0.5, "connections": 0.5}
"""The targets for the growth in the second half of a run, per minute."""
DISCONNECT_TIMEOUT_S = 10.0
"""How long Postgres may take to notice that the last worker has exited."""

CONNECTIONS = (
    "select count(*) from pg_stat_activity where application_name like 'activelog-worker%'"
)


class Sample(NamedTuple):
    minute: float
    held: Sequence[float]
    """In the order of MAX_SLOPES."""


@dataclass(slots=True)
class Witness:
    """A process that is never killed, and samples of what it holds."""

    name: str
    program: Program
    samples: list[Sample] = field(default_factory=list)

    async def watch(self) -> None:
        """Take samples until cancelled or until the process exits."""
        process, began = psutil.Process(self.program.process.pid), monotonic()
        while self.program.is_running:
            held = (
                process.memory_info().rss / 2**20,
                process.num_fds(),
                len(process.net_connections()),
            )
            self.samples.append(Sample((monotonic() - began) / 60, held))
            await asyncio.sleep(SAMPLE_INTERVAL_S)

    def rows(self, minutes: float) -> list[Row]:
        """Return the figures. The slopes have targets if the run was long enough."""
        exited = int(not self.program.is_running)
        rows = [Row(f"the {self.name} exited", "", str(exited), "0", exited == 0)]
        settled = self.samples[len(self.samples) // 2 :]
        for index, (what, most) in enumerate(MAX_SLOPES.items()):
            held = [sample.held[index] for sample in self.samples]
            slope = _slope(settled, index)
            seen = f"{held[0]:.0f} to {held[-1]:.0f}, peak {max(held):.0f}; {slope:+.2f} a minute"
            target = f"<= {most:+} a minute" if minutes >= MIN_MINUTES else ""
            met = slope <= most if target else None
            rows.append(Row(f"{what}, {self.name}", "second half", seen, target, met))
        return rows


def _slope(samples: Sequence[Sample], index: int) -> float:
    if len(samples) < 2:
        return 0.0
    minutes, held = zip(*((sample.minute, sample.held[index]) for sample in samples), strict=True)
    return linear_regression(minutes, held).slope


@asynccontextmanager
async def witness(name: str, program: Program) -> AsyncIterator[Witness]:
    """Watch a process while the block runs."""
    found = Witness(name, program)
    watching = asyncio.create_task(found.watch())
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
