"""Schedules over HTTP: listed, triggered, paused and resumed by operators; and their metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app import metrics
from app.jobs.schedules import SCHEDULES, fire_due
from app.postgres.database import Database
from app.resources import Resources
from tests.jobs.operators import operator
from tests.support.people import Person, person
from tests.support.working import run_jobs
from worker.cron import publish_metrics

SCHEDULES_URL = "/api/v1/admin/schedules"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/stats:daily/runs"),
        ("POST", "/stats:daily/trigger"),
        ("POST", "/stats:daily/pause"),
        ("POST", "/stats:daily/resume"),
    ],
)
async def test_schedules_require_an_operator(
    api: httpx.AsyncClient, database: Database, method: str, path: str
) -> None:
    kim = await person(database, "kim")
    response = await api.request(method, SCHEDULES_URL + path, headers=kim.headers)
    assert 403 == response.status_code


async def daily_stats(api: httpx.AsyncClient, user: Person) -> dict[str, Any]:
    """Return the item for stats:daily in the list of schedules."""
    response = await api.get(SCHEDULES_URL, headers=user.headers)
    (item,) = [item for item in response.json()["items"] if item["name"] == "stats:daily"]
    return dict(item)


async def test_schedule_without_runs_shows_its_next_run(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada = await operator(database)
    response = await api.get(SCHEDULES_URL, headers=ada.headers)
    assert list(SCHEDULES) == [item["name"] for item in response.json()["items"]]
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert {
        "name": "stats:daily",
        "paused": False,
        "paused_at": None,
        "next_run_at": f"{tomorrow}T00:00:00Z",
        "last_run": None,
        "last_success_at": None,
        "last_duration_s": None,
        "consecutive_failures": 0,
    } == await daily_stats(api, ada)


async def test_trigger_returns_the_job_and_the_run_shows_its_counts(
    api: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    ada = await operator(database)
    response = await api.post(
        f"{SCHEDULES_URL}/stats:daily/trigger?date=2026-02-28", headers=ada.headers
    )
    triggered = response.json()
    assert (202, "2026-02-28") == (response.status_code, triggered["day"])
    job = await api.get(f"/api/v1/admin/jobs/{triggered['job_id']}", headers=ada.headers)
    assert ("stats:daily", "queued") == (job.json()["kind"], job.json()["state"])
    await run_jobs(resources)
    daily = await daily_stats(api, ada)
    run = daily["last_run"]
    assert (
        triggered["run_id"],
        "done",
        str(ada.id),
        {"users": 0, "activities": 0, "recounted": 0},
    ) == (
        run["id"],
        run["state"],
        run["fired_by"],
        run["counts"],
    )
    assert daily["last_success_at"] == run["finished_at"]
    assert run["duration_s"] == daily["last_duration_s"] > 0


async def test_dry_run_parameter_enqueues_a_dry_run(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada = await operator(database)
    response = await api.post(
        f"{SCHEDULES_URL}/cleanup:daily/trigger?dry_run=true", headers=ada.headers
    )
    assert 202 == response.status_code
    assert "true" == await database.fetchval("select payload->>'dry_run' from jobs")


@pytest.mark.parametrize("action", ["trigger", "pause", "resume"])
async def test_unknown_name_is_404_and_the_error_lists_the_known_names(
    api: httpx.AsyncClient, database: Database, action: str
) -> None:
    ada = await operator(database)
    response = await api.post(f"{SCHEDULES_URL}/stats:dayly/{action}", headers=ada.headers)
    assert 404 == response.status_code
    assert all(name in response.json()["detail"] for name in SCHEDULES)


@pytest.mark.parametrize("query", ["date=2999-01-01", "date=9999-12-31", "date=x", "dry_run=true"])
async def test_invalid_trigger_is_refused(
    api: httpx.AsyncClient, database: Database, query: str
) -> None:
    ada = await operator(database)
    response = await api.post(f"{SCHEDULES_URL}/stats:daily/trigger?{query}", headers=ada.headers)
    assert 400 == response.status_code
    assert 0 == await database.fetchval("select count(*) from jobs")


async def test_paused_schedule_has_no_next_run_until_it_is_resumed(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada = await operator(database)
    for _ in range(2):
        paused = await api.post(f"{SCHEDULES_URL}/stats:daily/pause", headers=ada.headers)
        assert (200, True, None) == (
            paused.status_code,
            paused.json()["paused"],
            paused.json()["next_run_at"],
        )
    await fire_due(database, now=datetime.now(UTC) + timedelta(days=2))
    resumed = await api.post(f"{SCHEDULES_URL}/stats:daily/resume", headers=ada.headers)
    assert (200, False) == (resumed.status_code, resumed.json()["paused"])
    assert None is resumed.json()["last_run"]
    assert resumed.json()["next_run_at"]


async def test_runs_are_paged(api: httpx.AsyncClient, database: Database) -> None:
    ada = await operator(database)
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    await fire_due(database, now=noon)
    await fire_due(database, now=noon + timedelta(days=3))
    url, seen = f"{SCHEDULES_URL}/stats:daily/runs?limit=2", []
    cursor = None
    while True:
        query = f"&cursor={cursor}" if cursor else ""
        page = (await api.get(url + query, headers=ada.headers)).json()
        seen += [run["day"] for run in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert ["2026-11-26", "2026-11-25", "2026-11-24"] == seen


async def test_metrics_show_the_state_of_the_schedules(
    database: Database, resources: Resources
) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    await fire_due(database, now=noon)
    await fire_due(database, now=noon + timedelta(days=1))
    await database.execute(
        "update jobs set state = 'dead', finished_at = now(), fingerprint = 'f'"
        " where kind = 'cleanup:daily'"
    )
    await run_jobs(resources)
    await publish_metrics(database, now=noon)
    midnight = datetime(2026, 11, 25, tzinfo=UTC).timestamp()

    def metric(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"activelog_schedule_{name}", labels)

    assert 1 == metric("runs", schedule="stats:daily", outcome="done")
    assert 1 == metric("runs", schedule="cleanup:daily", outcome="dead")
    assert 1 == metric("consecutive_failures", schedule="cleanup:daily")
    assert 0 == metric("consecutive_failures", schedule="stats:daily")
    assert midnight == metric("next_due_timestamp_seconds", schedule="stats:daily")
    last = await database.fetchval(
        "select finished_at from schedule_runs where schedule = 'stats:daily'"
    )
    assert last.timestamp() == metric("last_success_timestamp_seconds", schedule="stats:daily")
    assert (metric("duration_seconds", schedule="stats:daily") or 0) > 0
