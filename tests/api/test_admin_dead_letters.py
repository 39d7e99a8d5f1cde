"""Dead letters over HTTP: groups, retries and discards."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app.postgres.database import Database
from tests.jobs.operators import dead, operator
from tests.support.sample_jobs import CALLS, CriticalSampleJob, SampleJob, enqueue_job, job_row
from tests.support.working import RunJobs

DEAD_LETTERS = "/api/v1/admin/dead-letters"


@pytest.fixture
async def admin(api: httpx.AsyncClient, database: Database) -> httpx.AsyncClient:
    """An API client that is signed in as an operator."""
    api.headers.update((await operator(database)).headers)
    return api


async def groups(admin: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    response = await admin.get(DEAD_LETTERS, params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


async def test_dead_letters_are_grouped_by_kind_and_error_ignoring_numbers(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await dead(database, run_jobs, SampleJob("a"), reason="page 17 is missing")
    (last,) = await dead(database, run_jobs, SampleJob("b"), reason="page 4 is missing")
    (other,) = await dead(database, run_jobs, CriticalSampleJob("c"), reason="page 4 is missing")
    latest, earlier = await groups(admin)
    assert ("test:critical", 1, str(other)) == tuple(
        latest[key] for key in ("kind", "count", "sample_job_id")
    )
    assert ("test:sample", 2, str(last), "Dead: page 4 is missing") == tuple(
        earlier[key] for key in ("kind", "count", "sample_job_id", "error")
    )
    seen = [earlier["first_seen"], earlier["last_seen"], latest["first_seen"]]
    first, second, third = map(datetime.fromisoformat, seen)
    assert first < second < third


async def test_groups_are_paged(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    for reason in ("red", "green", "blue"):
        await dead(database, run_jobs, SampleJob("a"), reason=reason)
    first = (await admin.get(DEAD_LETTERS, params={"limit": 2})).json()
    rest = (
        await admin.get(DEAD_LETTERS, params={"limit": 2, "cursor": first["next_cursor"]})
    ).json()
    assert ["Dead: blue", "Dead: green", "Dead: red"] == [
        group["error"] for group in first["items"] + rest["items"]
    ]
    assert rest["next_cursor"] is None


async def test_retrying_a_group_does_not_affect_the_other_groups(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await dead(database, run_jobs, SampleJob("a"), SampleJob("b"), reason="page 4 is missing")
    await dead(database, run_jobs, SampleJob("c"), reason="no paper")
    _, group = await groups(admin)
    response = await admin.post(f"{DEAD_LETTERS}/{group['fingerprint']}/retry")
    assert (200, {"retried": 2, "skipped": 0}) == (response.status_code, response.json())
    await run_jobs()
    assert {"a": 2, "b": 2, "c": 1} == CALLS
    assert [1] == [group["count"] for group in await groups(admin)]


async def test_retrying_a_group_skips_expired_and_duplicate_jobs(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    reason = "page 4 is missing"
    (expired,) = await dead(database, run_jobs, SampleJob("expired"), reason=reason)
    await database.execute("update jobs set expires_at = now() - interval '1 s'")
    await dead(database, run_jobs, SampleJob("older", key="twice"), reason=reason)
    (newer,) = await dead(database, run_jobs, SampleJob("newer", key="twice"), reason=reason)
    await dead(database, run_jobs, SampleJob("waits", key="waits"), reason=reason)
    await enqueue_job(database, SampleJob("waits", key="waits"))
    (group,) = await groups(admin)
    response = await admin.post(f"{DEAD_LETTERS}/{group['fingerprint']}/retry")
    assert {"retried": 1, "skipped": 3} == response.json()
    assert ("queued", "dead") == (
        (await job_row(database, newer))["state"],
        (await job_row(database, expired))["state"],
    )


async def test_dead_letters_of_one_kind_or_of_all_kinds_can_be_retried(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await dead(database, run_jobs, SampleJob("a"), CriticalSampleJob("b"), reason="no paper")
    await dead(database, run_jobs, SampleJob("c"), reason="no ink")
    response = await admin.post(f"{DEAD_LETTERS}/retry", params={"kind": "test:critical"})
    assert (200, {"retried": 1, "skipped": 0}) == (response.status_code, response.json())
    response = await admin.post(f"{DEAD_LETTERS}/retry")
    assert {"retried": 2, "skipped": 0} == response.json()
    assert [] == await groups(admin)


async def test_discarding_a_group_cancels_its_jobs_and_keeps_their_errors(
    admin: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    job_id, _ = await dead(database, run_jobs, SampleJob("a"), SampleJob("b"), reason="no paper")
    (group,) = await groups(admin)
    with capture_logs() as lines:
        response = await admin.post(f"{DEAD_LETTERS}/{group['fingerprint']}/discard")
    assert (200, {"discarded": 2}) == (response.status_code, response.json())
    job = await job_row(database, job_id)
    assert ("cancelled", "discarded by an operator: Dead: no paper", None) == (
        job["state"],
        job["error"],
        job["fingerprint"],
    )
    assert [2] == [line["discarded"] for line in lines if "discarded" in line]
    assert [] == await groups(admin)


@pytest.mark.parametrize("action", ["retry", "discard"])
async def test_unknown_fingerprint_is_404(admin: httpx.AsyncClient, action: str) -> None:
    response = await admin.post(f"{DEAD_LETTERS}/0123456789abcdef/{action}")
    assert 404 == response.status_code
