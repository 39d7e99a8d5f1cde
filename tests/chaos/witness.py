"""One worker that is never killed, and what the run does to its memory and to the connections."""

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

EVERY = 1.0
"""Seconds between two looks."""
LONG_ENOUGH = 5.0
"""Minutes from which a slope says something: caches fill and allocators settle before."""
STEEPEST = 0.5
"""MiB a minute, over the second half of a run."""
GONE_WITHIN = 10.0
"""Seconds after the last worker that Postgres has to notice it."""

CONNECTIONS = (
    "select count(*) from pg_stat_activity where application_name like 'activelog-worker%'"
)


class Look(NamedTuple):
    minute: float
    mebibytes: float


@dataclass(slots=True)
class Witness:
    member: Program
    looks: list[Look] = field(default_factory=list)
    connections: int = 0
    """The most that all workers together had to Postgres."""

    async def watch(self, database: Database) -> None:
        """Look until cancelled, or until the worker is gone."""
        process, began = psutil.Process(self.member.process.pid), monotonic()
        while self.member.lives:
            memory = process.memory_info().rss / 2**20
            self.looks.append(Look((monotonic() - began) / 60, memory))
            try:
                found = await database.fetchval(CONNECTIONS)
            except Unavailable:
                found = 0
            self.connections = max(self.connections, found)
            await asyncio.sleep(EVERY)

    def rows(self, minutes: float) -> list[Row]:
        """Its figures; the slope has a bar when the run was long enough."""
        settled = self.looks[len(self.looks) // 2 :]
        slope = _slope(settled)
        bar = f"<= {STEEPEST} MiB a minute" if minutes >= LONG_ENOUGH else ""
        ended = 0 if self.member.lives else 1
        seen = f"{self.looks[0].mebibytes:.0f} to {self.looks[-1].mebibytes:.0f} MiB"
        return [
            Row("a worker that is spared ends", "", str(ended), "0", ended == 0),
            Row("its memory", "", seen),
            Row(
                "its memory's slope, second half",
                "",
                f"{slope:+.2f} MiB a minute",
                bar,
                slope <= STEEPEST if bar else None,
            ),
            Row("connections to Postgres, at most", "all workers", str(self.connections)),
        ]


def _slope(looks: Sequence[Look]) -> float:
    if len(looks) < 2:
        return 0.0
    return linear_regression(*zip(*looks, strict=True)).slope


@asynccontextmanager
async def witness(environ: Mapping[str, str], database: Database) -> AsyncIterator[Witness]:
    """A worker that is watched while the block runs, and ended after it."""
    async with program(*WORKER, environ=environ) as member:
        await member.says("worker.claims")
        found = Witness(member)
        watching = asyncio.create_task(found.watch(database))
        try:
            yield found
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def connections_left(database: Database) -> Row:
    """Those that no worker has any more, and Postgres still does."""
    deadline = monotonic() + GONE_WITHIN
    while (left := await database.fetchval(CONNECTIONS)) and monotonic() < deadline:  # noqa: ASYNC110 # Postgres tells nobody
        await asyncio.sleep(0.2)
    return Row("connections left behind", "", str(left), "0", left == 0)
