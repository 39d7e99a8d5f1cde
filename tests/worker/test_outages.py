"""While a dependency is unavailable, its breaker is open: one job at a time probes it."""

from __future__ import annotations

from time import monotonic
from uuid import UUID, uuid4

import pytest

from app import dependency_health
from app.errors import Unavailable
from app.jobs import Job, JobId, Run, statements
from app.jobs.handlers import HANDLERS
from app.jobs.outcomes import Dead
from app.jobs.pauses import Pauses
from app.postgres.database import Database
from app.resources import Resources
from tests.support.sample_jobs import BEHAVIOURS, LowSampleJob, SampleJob, enqueue_job, job_row
from worker.breakers import Breakers
from worker.job_executor import JobExecutor
from worker.outcome import Outcome, record


async def meet_outage(*_: object) -> None:
    raise Unavailable("down", dependency="smtp")


async def call_smtp(*_: object) -> None:
    dependency_health.record_success("smtp")


async def be_rejected_by_smtp(*_: object) -> None:
    dependency_health.record_success("smtp")
    raise Dead("the server rejected it")


class Worker:
    """A worker that executes one job at a time."""

    def __init__(self, resources: Resources) -> None:
        self.id = uuid4()
        self.database = resources.database
        self.pauses = Pauses()
        self.breakers = Breakers(self.database, self.id, self.pauses, monotonic)
        self.executor = JobExecutor(resources, self.breakers, lambda: 0.0, HANDLERS)

    async def start(self) -> None:
        await statements.heartbeat(self.database, id=self.id, host="test", pid=1, slots=1)

    async def execute(self, job: Job | JobId) -> tuple[Run, Outcome]:
        """Execute a job and record its outcome."""
        await self.read_pauses()
        job_id = job if isinstance(job, UUID) else await enqueue_job(self.database, job)
        (claimed,) = await statements.claim(
            self.database, ids=[job_id], worker_id=self.id, token=uuid4()
        )
        run = Run(self.database, claimed)
        outcome = await self.executor(run)
        if outcome.name == "done":
            await run.finish_with_note("")
        else:
            await record(self.database, self.id, claimed, outcome)
        return run, outcome

    async def read_pauses(self) -> None:
        self.pauses.update(
            await statements.pauses(self.database), await statements.blocked_kinds(self.database)
        )


@pytest.fixture
async def worker(resources: Resources) -> Worker:
    BEHAVIOURS.update(
        {"outage": meet_outage, "answer": call_smtp, "rejection": be_rejected_by_smtp}
    )
    worker = Worker(resources)
    await worker.start()
    return worker


@pytest.fixture
async def peer(resources: Resources) -> Worker:
    worker = Worker(resources)
    await worker.start()
    return worker


async def end_wait(database: Database) -> None:
    """Let the wait for the next probe end now."""
    await database.execute("update breakers set next_probe_at = now()")


async def next_probe(database: Database) -> UUID | None:
    """Let the next probe through, and return its id, if its time has come."""
    probes = await statements.next_probes(database)
    return probes[0].id if probes else None


async def open_breakers(database: Database) -> list[str]:
    rows = await database.fetch("select dependency from breakers order by 1")
    return [row["dependency"] for row in rows]


async def test_outage_opens_the_breaker_and_parks_the_job_in_its_old_place(worker: Worker) -> None:
    run, outcome = await worker.execute(SampleJob("outage"))
    row = await job_row(worker.database, run.job_id)
    assert ("snoozed", "smtp", 0) == (row["state"], row["blocked_on"], row["failures"])
    assert run.claimed.run_at == row["run_at"]
    assert "smtp" == outcome.blocked_on


async def test_new_jobs_of_the_kind_are_inserted_parked_and_others_are_not(worker: Worker) -> None:
    await worker.execute(SampleJob("outage"))
    parked = await enqueue_job(worker.database, SampleJob("later"))
    other = await enqueue_job(worker.database, LowSampleJob("later"))
    assert "smtp" == (await job_row(worker.database, parked))["blocked_on"]
    assert (await job_row(worker.database, other))["blocked_on"] is None


async def test_one_job_is_let_through_after_the_wait_and_the_wait_doubles_if_it_fails(
    worker: Worker,
) -> None:
    database = worker.database
    run, _ = await worker.execute(SampleJob("outage"))
    await enqueue_job(database, SampleJob("outage"))
    waits = []
    for _ in range(3):
        assert await next_probe(database) is None
        await end_wait(database)
        assert run.job_id == await next_probe(database)
        assert await next_probe(database) is None
        await worker.execute(run.job_id)
        waits.append(await database.fetchval("select wait from breakers"))
    assert [10, 20, 40] == [wait.total_seconds() for wait in waits]


async def test_probe_that_does_not_call_the_dependency_lets_the_next_job_through(
    worker: Worker,
) -> None:
    run, _ = await worker.execute(SampleJob("outage"))
    second = await enqueue_job(worker.database, SampleJob("no call"))
    BEHAVIOURS.pop("outage")
    await end_wait(worker.database)
    assert run.job_id == await next_probe(worker.database)
    _, outcome = await worker.execute(run.job_id)
    assert ("done", ["smtp"]) == (outcome.name, await open_breakers(worker.database))
    assert second == await next_probe(worker.database)


async def test_probe_that_is_lost_lets_the_next_job_through_after_half_a_minute(
    worker: Worker,
) -> None:
    database = worker.database
    run, _ = await worker.execute(SampleJob("outage"))
    second = await enqueue_job(database, SampleJob("outage"))
    await end_wait(database)
    assert run.job_id == await next_probe(database)
    left = await database.fetchval("select next_probe_at - now() from breakers")
    assert 25 < left.total_seconds() <= 30
    await end_wait(database)
    assert second == await next_probe(database)


@pytest.mark.parametrize(("name", "ends_as"), [("answer", "done"), ("rejection", "dead")])
async def test_any_answer_of_the_dependency_closes_the_breaker(
    worker: Worker, name: str, ends_as: str
) -> None:
    await worker.execute(LowSampleJob("outage"))
    _, outcome = await worker.execute(SampleJob(name))
    assert (ends_as, []) == (outcome.name, await open_breakers(worker.database))
    assert ["smtp"] == await statements.unblocked(worker.database)
    (woken,) = await statements.wake(worker.database, blocked_on="smtp")
    assert woken.due


async def test_answer_from_before_the_last_outage_does_not_close_the_breaker(
    worker: Worker,
) -> None:
    run, _ = await worker.execute(SampleJob("outage"))
    await worker.read_pauses()
    await worker.breakers.record_end(run.claimed, {"smtp": 0.0})
    assert ["smtp"] == await open_breakers(worker.database)


async def test_breaker_stays_closed_while_another_worker_gets_answers(
    worker: Worker, peer: Worker
) -> None:
    await peer.execute(SampleJob("answer"))
    await peer.breakers.report_answers()
    run, outcome = await worker.execute(SampleJob("outage"))
    assert ("snoozed", None, []) == (
        outcome.name,
        outcome.blocked_on,
        await open_breakers(worker.database),
    )
    row = await job_row(worker.database, run.job_id)
    assert row["run_at"] > run.claimed.run_at


async def test_breaker_opens_when_a_second_worker_reports_the_outage(
    worker: Worker, peer: Worker, resources: Resources
) -> None:
    third = Worker(resources)
    await third.start()
    await third.execute(SampleJob("answer"))
    await third.breakers.report_answers()
    await worker.execute(SampleJob("outage"))
    assert [] == await open_breakers(worker.database)
    await peer.execute(SampleJob("outage"))
    assert ["smtp"] == await open_breakers(worker.database)
