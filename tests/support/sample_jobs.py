"""Sample jobs. Each test sets their behaviour."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from app import jobs
from app.jobs import Job, JobId, Run, handles
from app.postgres.database import Database
from app.resources import Resources
from tests.support import ledger
from tests.support.working import eventually

Behaviour = Callable[[Run, Resources], Awaitable[None]]

BEHAVIOURS: dict[str, Behaviour] = {}
CALLS: Counter[str] = Counter()
"""How many times the handler was called, by job name."""


class SampleJob(Job, frozen=True):
    """Runs `BEHAVIOURS[name]`, or does nothing."""

    kind = "test:sample"
    backoff = timedelta(milliseconds=20)
    timeout = timedelta(minutes=5)

    name: str
    key: str | None = None

    @property
    def unique_key(self) -> str | None:
        return self.key


class LowSampleJob(SampleJob, frozen=True):
    kind = "test:low"
    queue = "low"


class CriticalSampleJob(SampleJob, frozen=True):
    kind = "test:critical"
    queue = "critical"


class ShortSampleJob(SampleJob, frozen=True):
    """Times out after one second."""

    kind = "test:short"
    timeout = timedelta(seconds=1)


async def _do(job: SampleJob, run: Run, resources: Resources) -> None:
    CALLS[job.name] += 1
    if behaviour := BEHAVIOURS.get(job.name):
        await behaviour(run, resources)


for sample_job in (SampleJob, LowSampleJob, CriticalSampleJob, ShortSampleJob):
    handles(sample_job)(_do)


def block(name: str) -> asyncio.Event:
    """Make every sample job with this name run until the returned event is set."""
    released = asyncio.Event()

    async def wait(*_: object) -> None:
        await released.wait()

    BEHAVIOURS[name] = wait
    return released


def reset_sample_jobs() -> None:
    """Clear all behaviours and call counts."""
    BEHAVIOURS.clear()
    CALLS.clear()


async def enqueue_job(database: Database, job: Job) -> JobId:
    """Enqueue a job in its own transaction."""
    async with database.transaction() as tx:
        job_id = await jobs.enqueue(tx, job)
    assert job_id is not None
    return job_id


async def run_to_completion(database: Database, job: Job) -> None:
    """Enqueue a job and wait until it is done. By then, the worker has popped ids again."""
    job_id = await enqueue_job(database, job)

    async def state() -> object:
        return (await job_row(database, job_id))["state"]

    await eventually(state, "done")


async def job_row(database: Database, job_id: JobId) -> dict[str, Any]:
    """Return all columns of a job."""
    found = await database.fetchrow("select * from jobs where id = $1", job_id)
    assert found is not None
    return dict(found)


class Effect(Job, frozen=True):
    """Commits its effect after `seconds`; in the first attempt, after the longer of the two."""

    kind = "test:effect"

    seconds: float = 0
    seconds_at_first: float = 0


@handles(Effect)
async def take_effect(job: Effect, run: Run, resources: Resources) -> None:
    await ledger.record_start(resources.database, run)
    await asyncio.sleep(max(job.seconds, job.seconds_at_first if run.attempt == 1 else 0))
    await ledger.record_effect(run)


class Killer(Job, frozen=True):
    """Ends its process on every attempt, by SIGKILL or with an exit code."""

    kind = "test:killer"

    exit_code: int = 0

    def on_failure(self) -> Effect:
        return Effect()


@handles(Killer)
async def end_process(job: Killer, run: Run, resources: Resources) -> None:
    await ledger.record_start(resources.database, run)
    if job.exit_code:
        os._exit(job.exit_code)
    os.kill(os.getpid(), signal.SIGKILL)


class Hog(Job, frozen=True):
    """Allocates memory until it fails."""

    kind = "test:hog"
    retries = 0


@handles(Hog)
async def use_all_memory(_job: Hog, _run: Run) -> None:
    held = []
    while True:
        held.append(bytearray(64 * 1024 * 1024))
