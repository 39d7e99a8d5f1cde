"""Jobs that run into an outage are snoozed until the dependency responds."""

from __future__ import annotations

from time import monotonic
from uuid import uuid4

import pytest

from app import dependency_health
from app.errors import Unavailable
from app.jobs import Job, Run, statements
from app.jobs.handlers import HANDLERS
from app.jobs.outcomes import Dead
from app.jobs.pauses import Pauses
from app.resources import Resources
from tests.support.sample_jobs import BEHAVIOURS, SampleJob, enqueue_job, job_row
from worker.breakers import Breakers
from worker.job_executor import JobExecutor
from worker.outcome import Outcome, record


class Clock:
    """A monotonic clock that a test can move forward."""

    ahead = 0.0

    def __call__(self) -> float:
        return monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def meet_outage(*_: object) -> None:
    raise Unavailable("down", dependency="smtp")


async def call_smtp(*_: object) -> None:
    dependency_health.record_success("smtp")


async def be_rejected_by_smtp(*_: object) -> None:
    dependency_health.record_success("smtp")
    raise Dead("the server rejected it")


async def send_nothing(*_: object) -> None:
    """End without calling the mail server."""


@pytest.fixture
def executor(resources: Resources, clock: Clock) -> JobExecutor:
    BEHAVIOURS.update(
        {
            "outage": meet_outage,
            "answer": call_smtp,
            "rejection": be_rejected_by_smtp,
            "no call": send_nothing,
        }
    )
    breakers = Breakers(clock, lambda: 0.0)
    return JobExecutor(resources, breakers, Pauses(), lambda: 0.0, HANDLERS)


async def execute(executor: JobExecutor, job: Job) -> tuple[Run, Outcome]:
    """Execute a job, and return its run and outcome."""
    database = executor.resources.database
    job_id = await enqueue_job(database, job)
    (claimed,) = await statements.claim(database, ids=[job_id], worker_id=uuid4(), token=uuid4())
    run = Run(database, claimed)
    return run, await executor(run)


async def snoozed_for_smtp(executor: JobExecutor) -> Run:
    """Execute a job that runs into an outage, and snooze it."""
    run, outcome = await execute(executor, SampleJob("outage"))
    await record(executor.resources.engine_database, uuid4(), run.claimed, outcome)
    assert ("snoozed", "smtp") == (outcome.name, outcome.blocked_on)
    return run


async def test_job_that_does_not_call_the_dependency_does_not_close_the_breaker(
    executor: JobExecutor, clock: Clock
) -> None:
    waiting = await snoozed_for_smtp(executor)
    clock.ahead = 5
    for _ in range(2):
        assert "done" == (await execute(executor, SampleJob("no call")))[1].name
    assert "smtp" == (await job_row(executor.resources.database, waiting.job_id))["blocked_on"]
    assert executor.breakers.check(SampleJob.kind) is None
    assert executor.breakers.check(SampleJob.kind) is not None


@pytest.mark.parametrize(("name", "outcome"), [("answer", "done"), ("rejection", "dead")])
async def test_any_response_closes_the_breaker_and_unblocks_the_jobs(
    executor: JobExecutor, clock: Clock, name: str, outcome: str
) -> None:
    waiting = await snoozed_for_smtp(executor)
    clock.ahead = 5
    assert outcome == (await execute(executor, SampleJob(name)))[1].name
    unblocked = await job_row(executor.resources.database, waiting.job_id)
    assert unblocked["blocked_on"] is None
    assert executor.breakers.check(SampleJob.kind) is None
    assert executor.breakers.check(SampleJob.kind) is None
