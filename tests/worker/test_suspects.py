"""A job that was running in two crashes runs in a process of its own, beside its worker."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import Any

import psutil
import pytest

from app.jobs import Job, JobId
from app.jobs.admin import statements as operating
from app.jobs.job import Queue
from app.jobs.outcomes import Retry, Snooze
from app.postgres.database import Database
from app.resources import Resources
from tests.support.ledger import count_effects
from tests.support.outages import expire_lease
from tests.support.processes import WORKER, Program, is_alive, program
from tests.support.sample_jobs import (
    BEHAVIOURS,
    CriticalSampleJob,
    Effect,
    Hog,
    Killer,
    SampleJob,
    enqueue_job,
    job_row,
)
from tests.support.working import eventually, running_worker, until

STARTS = "select count(*) from starts"


async def enqueue_suspect(database: Database, job: Job) -> JobId:
    """Enqueue a job that has been running in two crashes."""
    async with database.transaction() as tx:
        await operating.pause(tx, what="queue", name=job.queue)
    job_id = await enqueue_job(database, job)
    await database.execute("update jobs set crashes = 2 where id = $1", job_id)
    async with database.transaction() as tx:
        await operating.resume(tx, what="queue", name=job.queue)
    return job_id


async def wait_for_state(database: Database, job_id: JobId, state: str) -> dict[str, Any]:
    async def state_now() -> object:
        return (await job_row(database, job_id))["state"]

    await eventually(state_now, state)
    return await job_row(database, job_id)


def child_of(worker: Program) -> psutil.Process:
    """Return the worker's one child process."""
    (child,) = psutil.Process(worker.process.pid).children()
    return child


async def test_job_that_kills_its_processes_becomes_a_dead_letter_and_spares_the_third_worker(
    effects: Database, environ: Mapping[str, str]
) -> None:
    killer = await enqueue_job(effects, Killer())
    for _ in range(2):
        async with program(*WORKER, environ=environ) as worker:
            assert -signal.SIGKILL == await worker.ended()
            await expire_lease(effects, worker.process.pid)
    async with program(*WORKER, environ=environ) as worker:
        dead = await wait_for_state(effects, killer, "dead")
        await eventually(lambda: count_effects(effects), (1, 0))  # of its `on_failure` job
        assert worker.is_running
    assert "the job's own process was killed by SIGKILL" == dead["error"]
    assert dead["fingerprint"]
    assert 3 == await effects.fetchval(STARTS + " where job_id = $1", killer)


async def test_process_that_exits_makes_its_job_a_dead_letter_and_others_go_on(
    effects: Database, environ: Mapping[str, str]
) -> None:
    killer = await enqueue_suspect(effects, Killer(exit_code=3))
    running = await enqueue_job(effects, Effect(seconds=5))
    async with program(*WORKER, environ=environ):
        dead = await wait_for_state(effects, killer, "dead")
        assert "running" == (await job_row(effects, running))["state"]
        done = await wait_for_state(effects, running, "done")
    assert "the job's own process ended with exit code 3" == dead["error"]
    assert (1, 0) == (done["attempt"], done["crashes"])


@pytest.mark.parametrize(
    ("interpreter", "reason"),
    [
        ("/bin/false", "the job's own process ended with exit code 1 before the job started"),
        ("/no/such/python", "the job's own process could not start"),
    ],
)
async def test_job_is_not_to_blame_for_a_process_that_cannot_start(
    effects: Database,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
    interpreter: str,
    reason: str,
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter)
    suspect = await enqueue_suspect(effects, Killer())
    async with running_worker(resources):
        snoozed = await wait_for_state(effects, suspect, "snoozed")
    assert reason in snoozed["error"]
    assert (0, 0, 2) == (snoozed["attempt"], snoozed["failures"], snoozed["crashes"])


async def test_suspect_is_cancelled_on_request(
    effects: Database, environ: Mapping[str, str]
) -> None:
    suspect = await enqueue_suspect(effects, Effect(seconds=300))
    async with program(*WORKER, environ=environ) as worker:
        await eventually(lambda: effects.fetchval(STARTS), 1)
        child = child_of(worker)
        await effects.execute("update jobs set cancel_requested_at = now()")
        cancelled = await wait_for_state(effects, suspect, "cancelled")
        assert not is_alive(child.pid)
    assert "cancelled on request" == cancelled["error"]


@pytest.mark.parametrize("queue", ["default", "critical"])
async def test_other_jobs_start_at_once_while_a_suspect_runs(
    effects: Database, environ: Mapping[str, str], queue: Queue
) -> None:
    suspect = await enqueue_suspect(effects, Effect(seconds=300))
    async with program(*WORKER, environ=environ):
        await eventually(lambda: effects.fetchval(STARTS), 1)
        other = CriticalSampleJob("a") if queue == "critical" else SampleJob("a")
        await wait_for_state(effects, await enqueue_job(effects, other), "done")
        assert "running" == (await job_row(effects, suspect))["state"]


@pytest.mark.parametrize(
    "ended",
    [
        Snooze("not yet", delay=timedelta(minutes=1)),
        Retry("not yet", delay=timedelta(minutes=1)),
    ],
)
async def test_attempt_that_is_snoozed_or_retried_clears_the_crashes(
    database: Database, resources: Resources, ended: Exception
) -> None:
    async def end(*_: object) -> None:
        raise ended

    BEHAVIOURS["a"] = end
    job_id = await enqueue_job(database, SampleJob("a"))
    await database.execute("update jobs set crashes = 1")
    async with running_worker(resources):
        await eventually(lambda: database.fetchval("select crashes from jobs"), 0)
    assert (await job_row(database, job_id))["state"] in {"snoozed", "retrying"}


async def test_attempt_that_ends_well_has_its_effect_once(
    effects: Database, environ: Mapping[str, str]
) -> None:
    suspect = await enqueue_suspect(effects, Effect())
    async with program(*WORKER, environ=environ) as worker:
        await wait_for_state(effects, suspect, "done")
        await worker.wait_for_output("job.suspected")
    assert (1, 0) == await count_effects(effects)


async def test_suspect_of_a_paused_kind_needs_no_process(
    effects: Database, environ: Mapping[str, str]
) -> None:
    suspect = await enqueue_suspect(effects, Killer())
    async with effects.transaction() as tx:
        await operating.pause(tx, what="kind", name=Killer.kind)
    async with program(*WORKER, environ=environ) as worker:

        async def blocked_on() -> object:
            return (await job_row(effects, suspect))["blocked_on"]

        await eventually(blocked_on, f"kind {Killer.kind}")
        assert "job.suspected" not in worker.output
    assert 2 == (await job_row(effects, suspect))["crashes"]


async def test_process_of_a_suspect_ends_with_its_worker(
    effects: Database, environ: Mapping[str, str]
) -> None:
    await enqueue_suspect(effects, Effect(seconds=300))
    async with program(*WORKER, environ=environ) as worker:
        await eventually(lambda: effects.fetchval(STARTS), 1)
        child = child_of(worker)
        await worker.kill()
        await until(lambda: not is_alive(child.pid))


async def test_drain_ends_the_process_and_returns_the_job_without_a_crash(
    effects: Database, environ: Mapping[str, str]
) -> None:
    suspect = await enqueue_suspect(effects, Effect(seconds=300))
    async with program(*WORKER, environ={**environ, "SHUTDOWN_GRACE": "1"}) as worker:
        await eventually(lambda: effects.fetchval(STARTS), 1)
        child = child_of(worker)
        began = monotonic()
        worker.send(signal.SIGTERM)
        assert 0 == await worker.ended()
        assert not is_alive(child.pid)
        assert monotonic() - began < 60
    returned = await job_row(effects, suspect)
    assert ("queued", 0, 2) == tuple(returned[name] for name in ("state", "attempt", "crashes"))


async def test_suspect_that_uses_too_much_memory_fails_and_its_worker_does_not(
    effects: Database, environ: Mapping[str, str]
) -> None:
    hog = await enqueue_suspect(effects, Hog())
    async with program(*WORKER, environ=environ) as worker:
        dead = await wait_for_state(effects, hog, "dead")
        assert worker.is_running
    assert re.match("MemoryError|the job's own process was killed by", dead["error"])
