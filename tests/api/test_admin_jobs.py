"""Jobs over HTTP: listed, read, cancelled and retried by operators."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app.jobs import JobId, Run
from app.postgres.database import Database
from app.resources import Resources
from app.users.emails import SendWelcomeEmail
from tests.jobs.operators import dead, operator
from tests.support.people import person
from tests.support.sample_jobs import (
    BEHAVIOURS,
    CALLS,
    CriticalSampleJob,
    LowSampleJob,
    SampleJob,
    block,
    enqueue_job,
    job_row,
)
from tests.support.working import RunJobs, eventually, running_worker, until

JOBS = "/api/v1/admin/jobs"


@pytest.fixture
async def admin(api: httpx.AsyncClient, database: Database) -> httpx.AsyncClient:
    """An API client that is signed in as an operator."""
    api.headers.update((await operator(database)).headers)
    return api


async def ids(admin: httpx.AsyncClient, **query: Any) -> list[str]:
    response = await admin.get(JOBS, params=query)
    assert response.status_code == 200, response.text
    return [job["id"] for job in response.json()["items"]]


async def test_jobs_are_paged_newest_first(admin: httpx.AsyncClient, database: Database) -> None:
    job_ids = [str(await enqueue_job(database, SampleJob(name))) for name in "abcde"]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        query = f"limit=2&cursor={cursor}" if cursor else "limit=2"
        response = (await admin.get(f"{JOBS}?{query}")).json()
        seen += [job["id"] for job in response["items"]]
        cursor = response["next_cursor"]
    assert (job_ids[::-1], None) == (seen, cursor)


async def test_jobs_are_filtered_by_state_kind_queue_and_user(
    admin: httpx.AsyncClient, database: Database
) -> None:
    kim = await person(database, "kim")
    low = str(await enqueue_job(database, LowSampleJob("a")))
    mail = str(await enqueue_job(database, SendWelcomeEmail(kim.id)))
    sample = await enqueue_job(database, SampleJob("b"))
    await database.execute(
        "update jobs set state = 'cancelled', finished_at = now() where id = $1", sample
    )
    assert [str(sample)] == await ids(admin, state="cancelled")
    assert [low] == await ids(admin, kind="test:low")
    assert [mail] == await ids(admin, queue="critical", state="queued")
    assert [mail] == await ids(admin, user=str(kim.id))
    assert [mail] == await ids(admin, user="KIM@example.com")
    assert [] == await ids(admin, user=str(sample))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=lost", "state"),
        ("queue=urgent", "queue"),
        ("user=nobody@example.com", "user"),
        ("cursor=nonsense", "cursor"),
        ("limit=201", "limit"),
    ],
)
async def test_error_names_the_invalid_parameter(
    admin: httpx.AsyncClient, query: str, field: str
) -> None:
    response = await admin.get(f"{JOBS}?{query}")
    assert (400, [field]) == (
        response.status_code,
        [error["field"] for error in response.json()["errors"]],
    )


async def test_job_shows_attempts_errors_tracebacks_and_timeline(
    admin: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    async def fail_once(run: Run, _: Resources) -> None:
        if run.attempt == 1:
            raise RuntimeError("the first time")

    BEHAVIOURS["a"] = fail_once
    job_id = await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await eventually(lambda: state(database, job_id), "done")
    job = (await admin.get(f"{JOBS}/{job_id}")).json()
    assert ("done", 2, {"name": "a", "key": None}) == (job["state"], job["attempt"], job["payload"])
    attempt, success = job["attempts"]
    assert (2, "done", None) == (success["attempt"], success["outcome"], success["error"])
    assert (1, "retried", "RuntimeError: the first time") == (
        attempt["attempt"],
        attempt["outcome"],
        attempt["error"],
    )
    assert "fail_once" in attempt["traceback"]
    assert [
        "enqueued",
        "attempt 1 started",
        "attempt 1 ended: retried",
        "attempt 2 started",
        "attempt 2 ended: done",
        "done",
    ] == [moment["event"] for moment in job["timeline"]]


async def test_job_shows_its_progress_and_the_request_that_caused_it(
    admin: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    seen = asyncio.Event()

    async def report(run: Run, _: Resources) -> None:
        await run.report_progress(3, 10, rows=7)
        await seen.wait()

    BEHAVIOURS["a"] = report
    job_id = await enqueue_job(database, SampleJob("a"))
    await database.execute("update jobs set request_id = 'req-1'")
    async with running_worker(resources):

        async def progress() -> object:
            return (await admin.get(f"{JOBS}/{job_id}")).json()["progress"]

        await eventually(progress, {"done": 3, "total": 10, "rows": 7})
        seen.set()
    assert "req-1" == (await admin.get(f"{JOBS}/{job_id}")).json()["request_id"]


@pytest.mark.parametrize("path", ["", "/retry", "/cancel"])
async def test_unknown_job_is_404(admin: httpx.AsyncClient, path: str) -> None:
    unknown = f"{JOBS}/01980000-0000-7000-8000-000000000000{path}"
    response = await (admin.post(unknown) if path else admin.get(unknown))
    assert 404 == response.status_code
    assert 404 == (await admin.get(f"{JOBS}/no-id")).status_code


async def test_waiting_job_is_cancelled_at_once_and_never_runs(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    job_id = await enqueue_job(database, CriticalSampleJob("a"))
    response = await admin.post(f"{JOBS}/{job_id}/cancel")
    assert (200, "cancelled") == (response.status_code, response.json()["state"])
    await enqueue_job(database, CriticalSampleJob("next"))
    await run_jobs()
    assert (0, 1) == (CALLS["a"], CALLS["next"])


async def test_cancelling_a_running_job_interrupts_it(
    admin: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    block("a")
    job_id = await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 1)
        response = await admin.post(f"{JOBS}/{job_id}/cancel")
        assert (200, "running") == (response.status_code, response.json()["state"])
        assert response.json()["cancel_requested_at"]
        await eventually(lambda: state(database, job_id), "cancelled")


async def state(database: Database, job_id: JobId) -> object:
    return (await job_row(database, job_id))["state"]


async def test_done_job_cannot_be_cancelled(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await run_jobs()
    response = await admin.post(f"{JOBS}/{job_id}/cancel")
    assert 409 == response.status_code
    assert "it is already done" in response.json()["detail"]
    assert "done" == await state(database, job_id)


async def test_retry_resets_failures_and_keeps_attempts(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    (job_id,) = await dead(database, run_jobs, SampleJob("a"), reason="no such page")
    await database.execute("update jobs set crashes = 2, cancel_requested_at = now()")
    response = await admin.post(f"{JOBS}/{job_id}/retry")
    job = response.json()
    assert (200, "queued", 0, 0, 1) == (
        response.status_code,
        *(job[key] for key in ("state", "failures", "crashes", "attempt")),
    )
    await run_jobs()
    job = (await admin.get(f"{JOBS}/{job_id}")).json()
    assert ("done", 2, ["dead", "done"]) == (
        job["state"],
        job["attempt"],
        [attempt["outcome"] for attempt in job["attempts"]],
    )


async def test_done_job_cannot_be_retried(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await run_jobs()
    response = await admin.post(f"{JOBS}/{job_id}/retry")
    assert (409, "Only a dead job can be retried, and this one is done.") == (
        response.status_code,
        response.json()["detail"],
    )


async def test_expired_dead_job_cannot_be_retried(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    (job_id,) = await dead(database, run_jobs, SampleJob("a"), reason="no such page")
    await database.execute("update jobs set expires_at = now() - interval '1 s'")
    response = await admin.post(f"{JOBS}/{job_id}/retry")
    assert 409 == response.status_code
    assert "The job has expired." in response.json()["detail"]


async def test_dead_job_with_an_unfinished_duplicate_cannot_be_retried(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    (job_id,) = await dead(database, run_jobs, SampleJob("a", key="k"), reason="no such page")
    await enqueue_job(database, SampleJob("a", key="k"))
    response = await admin.post(f"{JOBS}/{job_id}/retry")
    assert 409 == response.status_code
    assert "kind and unique key" in response.json()["detail"]
