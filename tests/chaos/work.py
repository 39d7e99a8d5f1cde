"""The jobs of the chaos. All but the no-ops leave an effect with their `done`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from random import Random

from app import dependency_health
from app.errors import Unavailable
from app.jobs import Job, Run, handles
from app.resources import Resources
from tests.support.ledger import leave_effect, note_start


class NoOp(Job, frozen=True):
    kind = "chaos:no-op"


class Sleep(Job, frozen=True):
    kind = "chaos:sleep"

    seconds: float


class TwoSteps(Job, frozen=True):
    """Writes in one transaction, waits as for an email or an upload, and ends in another."""

    kind = "chaos:two-steps"
    queue = "critical"

    seconds: float


class Stumble(Job, frozen=True):
    """Fails so many times before it succeeds."""

    kind = "chaos:stumble"
    backoff = timedelta(seconds=1)

    failures: int


class Outage(Job, frozen=True):
    """Finds something away at its first attempt."""

    kind = "chaos:outage"


class Long(Job, frozen=True):
    """Longer than ten leases."""

    kind = "chaos:long"
    queue = "low"

    seconds: float


@handles(NoOp)
async def do_nothing(_job: NoOp, run: Run, resources: Resources) -> None:
    await note_start(resources.database, run)


@handles(Sleep)
async def sleep(job: Sleep, run: Run, resources: Resources) -> None:
    await note_start(resources.database, run)
    await asyncio.sleep(job.seconds)
    await leave_effect(run)


@handles(TwoSteps)
async def take_two_steps(job: TwoSteps, run: Run, resources: Resources) -> None:
    await note_start(resources.database, run)
    async with run.transaction() as tx:
        await tx.execute("update jobs set progress = '1' where id = $1", run.job_id)
    await asyncio.sleep(job.seconds)
    await leave_effect(run)


@handles(Stumble)
async def stumble(job: Stumble, run: Run, resources: Resources) -> None:
    await note_start(resources.database, run)
    if run.claimed.failures < job.failures:
        raise RuntimeError("it stumbled, as it was told to")
    await leave_effect(run)


@handles(Outage)
async def meet_outage(_job: Outage, run: Run, resources: Resources) -> None:
    await note_start(resources.database, run)
    if run.attempt == 1:
        raise Unavailable("It is away, as it was told to be.", dependency="chaos")
    dependency_health.note("chaos")
    await leave_effect(run)


@handles(Long)
async def take_long(job: Long, run: Run, resources: Resources) -> None:
    await note_start(resources.database, run)
    await asyncio.sleep(job.seconds)
    await leave_effect(run)


def mix(draw: Random, count: int) -> Iterator[Job]:
    """So many jobs of all kinds but the long one, in a drawn order."""
    for _ in range(count):
        match draw.choices(("no-op", "sleep", "two", "stumble", "outage"), (40, 30, 20, 9, 1))[0]:
            case "no-op":
                yield NoOp()
            case "sleep":
                yield Sleep(draw.uniform(0.05, 0.5))
            case "two":
                yield TwoSteps(draw.uniform(0.05, 0.5))
            case "stumble":
                yield Stumble(draw.choice((1, 2)))
            case _:
                yield Outage()
