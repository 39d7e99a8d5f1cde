"""Queues and kinds over HTTP, paused and resumed by operators, and the list of workers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic

import httpx
import pytest
from structlog.testing import capture_logs

from app import jobs
from app.jobs.redis_queue import queue_key
from app.postgres.database import Database
from app.resources import Resources
from tests.jobs.operators import operator
from tests.support.people import person
from tests.support.sample_jobs import (
    CALLS,
    CriticalSampleJob,
    LowSampleJob,
    SampleJob,
    block,
    enqueue_job,
    job_row,
    run_to_completion,
)
from tests.support.working import eventually, running_worker, until

UUID = "01980000-0000-7000-8000-000000000000"
ROUTES = [
    ("GET", "queues"),
    ("POST", "queues/low/pause"),
    ("POST", "queues/low/resume"),
    ("GET", "kinds"),
    ("POST", "kinds/test:sample/pause"),
    ("POST", "kinds/test:sample/resume"),
    ("GET", "workers"),
    ("GET", "jobs"),
    ("GET", f"jobs/{UUID}"),
    ("POST", f"jobs/{UUID}/retry"),
    ("POST", f"jobs/{UUID}/cancel"),
    ("GET", "dead-letters"),
    ("POST", "dead-letters/retry"),
    ("POST", "dead-letters/0123456789abcdef/retry"),
    ("POST", "dead-letters/0123456789abcdef/discard"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_admin_routes_require_an_operator(
    api: httpx.AsyncClient, database: Database, method: str, path: str
) -> None:
    kim = await person(database, "kim")
    response = await api.request(method, f"/api/v1/admin/{path}", headers=kim.headers)
    assert (403, "application/problem+json") == (
        response.status_code,
        response.headers["content-type"],
    )
    assert (await api.request(method, f"/api/v1/admin/{path}")).status_code == 401


async def test_queue_counts_waiting_and_scheduled_jobs_and_shows_the_age_of_the_oldest_waiting_job(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada = await operator(database)
    async with database.transaction() as tx:
        await jobs.enqueue(tx, SampleJob("a"))
        await jobs.enqueue(tx, SampleJob("b"))
        await jobs.enqueue(tx, SampleJob("c"), run_at=datetime.now(UTC) + timedelta(hours=1))
    began = monotonic()
    await database.execute("update jobs set run_at = now() - interval '90 s' where run_at <= now()")
    response = await api.get("/api/v1/admin/queues", headers=ada.headers)
    critical, default, low = response.json()["items"]
    assert 90 <= default.pop("oldest_age_s") <= 90 + monotonic() - began
    assert default == {
        "name": "default",
        "waiting": 2,
        "scheduled": 1,
        "running": 0,
        "finished_per_minute": 0,
        "paused": False,
        "paused_at": None,
        "weight": 3,
    }
    assert ("critical", 0, None, 6) == tuple(
        critical[key] for key in ("name", "waiting", "oldest_age_s", "weight")
    )
    assert ("low", 1) == (low["name"], low["weight"])


async def test_paused_queue_keeps_its_jobs_in_redis_until_it_is_resumed(
    api: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    ada = await operator(database)
    async with running_worker(resources) as process:
        paused = await api.post("/api/v1/admin/queues/critical/pause", headers=ada.headers)
        assert (200, True) == (paused.status_code, paused.json()["paused"])
        await until(lambda: "critical" in process.pauses.queues)
        job_id = await enqueue_job(database, CriticalSampleJob("a"))
        await run_to_completion(database, LowSampleJob("b"))
        await run_to_completion(database, LowSampleJob("c"))
        waiting = await resources.redis.zrange(queue_key("critical"), 0, -1)
        assert ([str(job_id).encode()], 0) == (waiting, CALLS["a"])
        resumed = await api.post("/api/v1/admin/queues/critical/resume", headers=ada.headers)
        assert (200, False) == (resumed.status_code, resumed.json()["paused"])
        await until(lambda: CALLS["a"] == 1)


async def test_jobs_of_a_paused_kind_are_parked_until_the_kind_is_resumed(
    api: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    ada = await operator(database)
    async with running_worker(resources) as process:
        response = await api.post("/api/v1/admin/kinds/test:sample/pause", headers=ada.headers)
        assert (200, "test:sample", True) == (
            response.status_code,
            response.json()["name"],
            response.json()["paused"],
        )
        await until(lambda: "test:sample" in process.pauses.kinds)
        job_id = await enqueue_job(database, SampleJob("a"))

        async def blocked_on() -> object:
            return (await job_row(database, job_id))["blocked_on"]

        await eventually(blocked_on, "kind test:sample")
        assert 0 == CALLS["a"]
        response = await api.post("/api/v1/admin/kinds/test:sample/resume", headers=ada.headers)
        assert (200, False) == (response.status_code, response.json()["paused"])
        await until(lambda: CALLS["a"] == 1)


@pytest.mark.parametrize("action", ["pause", "resume"])
async def test_pausing_and_resuming_are_idempotent(
    api: httpx.AsyncClient, database: Database, action: str
) -> None:
    ada = await operator(database)
    await api.post("/api/v1/admin/queues/low/pause", headers=ada.headers)
    path = f"/api/v1/admin/queues/low/{action}"
    first = await api.post(path, headers=ada.headers)
    assert (200, action == "pause") == (first.status_code, first.json()["paused"])
    assert first.json() == (await api.post(path, headers=ada.headers)).json()


@pytest.mark.parametrize(
    ("path", "known_names"),
    [("queues/urgent/pause", "critical, default, low"), ("kinds/a:typo/resume", "test:sample")],
)
async def test_unknown_name_is_404_and_the_error_lists_the_known_names(
    api: httpx.AsyncClient, database: Database, path: str, known_names: str
) -> None:
    ada = await operator(database)
    response = await api.post(f"/api/v1/admin/{path}", headers=ada.headers)
    assert 404 == response.status_code
    assert known_names in response.json()["detail"]


async def test_kind_without_a_handler_in_this_version_can_be_paused(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada = await operator(database)
    await enqueue_job(database, SampleJob("a"))
    await database.execute("update jobs set kind = 'from:tomorrow'")
    response = await api.post("/api/v1/admin/kinds/from:tomorrow/pause", headers=ada.headers)
    assert (200, 1, True) == (
        response.status_code,
        response.json()["waiting"],
        response.json()["paused"],
    )


async def test_log_contains_the_id_of_the_operator_who_paused_a_queue(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada = await operator(database)
    with capture_logs() as lines:
        await api.post("/api/v1/admin/queues/low/pause", headers=ada.headers)
    assert [str(ada.id)] == [
        line["by"] for line in lines if line["event"] == "operator.paused_queue"
    ]


async def test_workers_show_their_running_jobs_and_whether_they_are_alive(
    api: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    ada = await operator(database)
    unblock = block("a")
    await database.execute(
        "insert into workers (id, host, pid, slots, started_at, seen_at)"
        " values (uuidv7(), 'gone', 1, 4, now() - interval '1 day', now() - interval '11 s')"
    )
    async with running_worker(resources):
        job_id = await enqueue_job(database, SampleJob("a"))
        await until(lambda: CALLS["a"] == 1)
        response = await api.get("/api/v1/admin/workers", headers=ada.headers)
        unblock.set()
    gone, here = response.json()["items"]
    assert ("gone", False, []) == (gone["host"], gone["alive"], gone["running_jobs"])
    assert (True, 10) == (here["alive"], here["slots"])
    assert [(str(job_id), "test:sample", 1)] == [
        (run["id"], run["kind"], run["attempt"]) for run in here["running_jobs"]
    ]
