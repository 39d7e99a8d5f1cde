"""The jobs for the chaos run. All except the no-ops commit an effect together with `done`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta
from random import Random

from app import dependency_health
from app.errors import Unavailable
from app.jobs import Job, Run, handles
from app.resources import Resources
from app.users.emails import SendWelcomeEmail
from app.users.user import UserId
from tests.support.ledger import record_effect, record_start

OBJECTS = "chaos/"
"""The prefix of the keys in the bucket."""


class NoOp(Job, frozen=True):
    kind = "chaos:no-op"


class Sleep(Job, frozen=True):
    kind = "chaos:sleep"

    seconds: float


class TwoSteps(Job, frozen=True):
    """Writes in one transaction, waits as if for an email or an upload, and finishes in another."""

    kind = "chaos:two-steps"
    queue = "critical"

    seconds: float


class Stumble(Job, frozen=True):
    """Fails `failures` times, then succeeds."""

    kind = "chaos:stumble"
    backoff = timedelta(seconds=1)

    failures: int


class Outage(Job, frozen=True):
    """Runs into an outage on the first attempt."""

    kind = "chaos:outage"


class Store(Job, frozen=True):
    """Stores an object in the bucket, under a key that contains the job's id."""

    kind = "chaos:store"


class Long(Job, frozen=True):
    """Runs more than ten times as long as a lease lasts."""

    kind = "chaos:long"

    seconds: float


@handles(NoOp)
async def do_nothing(_job: NoOp, run: Run, resources: Resources) -> None:
    await record_start(resources.database, run)


@handles(Sleep)
async def sleep(job: Sleep, run: Run, resources: Resources) -> None:
    await record_start(resources.database, run)
    await asyncio.sleep(job.seconds)
    await record_effect(run)


@handles(TwoSteps)
async def take_two_steps(job: TwoSteps, run: Run, resources: Resources) -> None:
    await record_start(resources.database, run)
    async with run.transaction() as tx:
        await tx.execute("update jobs set progress = '1' where id = $1", run.job_id)
    await asyncio.sleep(job.seconds)
    await record_effect(run)


@handles(Stumble)
async def stumble(job: Stumble, run: Run, resources: Resources) -> None:
    await record_start(resources.database, run)
    if run.claimed.failures < job.failures:
        raise RuntimeError("failed on purpose")
    await record_effect(run)


@handles(Outage)
async def meet_outage(_job: Outage, run: Run, resources: Resources) -> None:
    await record_start(resources.database, run)
    if run.attempt == 1:
        raise Unavailable("Unavailable on purpose.", dependency="chaos")
    dependency_health.record_success("chaos")
    await record_effect(run)


@handles(Store)
async def store(_job: Store, run: Run, resources: Resources) -> None:
    await record_start(resources.database, run)
    await resources.bucket.put(f"{OBJECTS}{run.job_id}", b"stored", "text/plain")
    await record_effect(run)


@handles(Long)
async def run_long(job: Long, run: Run, resources: Resources) -> None:
    await record_start(resources.database, run)
    await asyncio.sleep(job.seconds)
    await record_effect(run)


def mix(rng: Random, count: int, users: Iterable[UserId]) -> Iterator[Job]:
    """Generate `count` jobs of all types except `Long`, in random order.

    Each user gets at most one welcome email.
    """
    recipients = iter(users)
    kinds = ("no-op", "sleep", "two", "stumble", "outage", "store", "email")
    for _ in range(count):
        match rng.choices(kinds, (35, 25, 20, 9, 1, 5, 5))[0]:
            case "no-op":
                yield NoOp()
            case "sleep":
                yield Sleep(rng.uniform(0.05, 0.5))
            case "two":
                yield TwoSteps(rng.uniform(0.05, 0.5))
            case "stumble":
                yield Stumble(rng.choice((1, 2)))
            case "store":
                yield Store()
            case "email":
                yield SendWelcomeEmail(user_id=next(recipients))
            case _:
                yield Outage()
