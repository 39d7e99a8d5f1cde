"""Outages: what a handler meets, what its job becomes, and what tells that it is over."""

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
from tests.support.trials import DEEDS, Trial, put, row
from worker.breakers import Breakers
from worker.job_executor import JobExecutor
from worker.outcome import Outcome, record


class Clock:
    """The monotonic one, which a test can put forward."""

    ahead = 0.0

    def __call__(self) -> float:
        return monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def away(*_: object) -> None:
    raise Unavailable("down", dependency="smtp")


async def asks(*_: object) -> None:
    dependency_health.note("smtp")


async def asks_in_vain(*_: object) -> None:
    dependency_health.note("smtp")
    raise Dead("a server that answers refuses it")


async def does_not_ask(*_: object) -> None:
    """It finds that there is nothing to send."""


@pytest.fixture
def executor(resources: Resources, clock: Clock) -> JobExecutor:
    DEEDS.update(
        {"away": away, "asks": asks, "asks in vain": asks_in_vain, "does not ask": does_not_ask}
    )
    breakers = Breakers(clock, lambda: 0.0)
    return JobExecutor(resources, breakers, Pauses(), lambda: 0.0, HANDLERS)


async def ended(executor: JobExecutor, job: Job) -> tuple[Run, Outcome]:
    """A job, and how the attempt at it ended."""
    database = executor.resources.database
    job_id = await put(database, job)
    (claimed,) = await statements.claim(database, ids=[job_id], worker_id=uuid4(), token=uuid4())
    run = Run(database, claimed)
    return run, await executor(run)


async def waiting_for_smtp(executor: JobExecutor) -> Run:
    """A job that has met an outage, and is put off for it."""
    run, outcome = await ended(executor, Trial("away"))
    await record(executor.resources.engine, uuid4(), run.claimed, outcome)
    assert ("snoozed", "smtp") == (outcome.name, outcome.blocked_on)
    return run


async def test_a_job_that_is_done_without_asking_the_server_does_not_tell_that_it_is_back(
    executor: JobExecutor, clock: Clock
) -> None:
    waiting = await waiting_for_smtp(executor)
    clock.ahead = 5
    for _ in range(2):
        assert "done" == (await ended(executor, Trial("does not ask")))[1].name
    assert "smtp" == (await row(executor.resources.database, waiting.job_id))["blocked_on"]
    assert executor.breakers.check(Trial.kind) is None
    assert executor.breakers.check(Trial.kind) is not None


@pytest.mark.parametrize(("name", "outcome"), [("asks", "done"), ("asks in vain", "dead")])
async def test_an_answer_tells_that_it_is_back_and_wakes_all_whatever_became_of_the_job(
    executor: JobExecutor, clock: Clock, name: str, outcome: str
) -> None:
    waiting = await waiting_for_smtp(executor)
    clock.ahead = 5
    assert outcome == (await ended(executor, Trial(name)))[1].name
    woken = await row(executor.resources.database, waiting.job_id)
    assert woken["blocked_on"] is None
    assert executor.breakers.check(Trial.kind) is None
    assert executor.breakers.check(Trial.kind) is None
