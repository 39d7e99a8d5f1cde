"""Schedules, as operators see, trigger and stop them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app import metrics
from app.jobs.schedules import SCHEDULES, fire_due
from app.postgres.database import Database
from app.resources import Resources
from tests.jobs.operators import operator
from tests.support.people import person
from tests.support.working import run_jobs
from worker.cron import publish

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
async def test_schedules_are_for_operators(
    api: httpx.AsyncClient, database: Database, method: str, path: str
) -> None:
    kim = await person(database, "kim")
    answer = await api.request(method, SCHEDULES_URL + path, headers=kim.headers)
    assert 403 == answer.status_code


async def test_a_schedule_that_never_ran_shows_when_it_will(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada = await operator(database)
    answer = await api.get(SCHEDULES_URL, headers=ada.headers)
    items = answer.json()["items"]
    assert list(SCHEDULES) == [item["name"] for item in items]
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
    } == items[0]


async def test_a_trigger_answers_with_the_job_and_the_run_shows_what_it_did(
    api: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    ada = await operator(database)
    answer = await api.post(
        f"{SCHEDULES_URL}/stats:daily/trigger?date=2026-02-28", headers=ada.headers
    )
    began = answer.json()
    assert (202, "2026-02-28") == (answer.status_code, began["day"])
    job = await api.get(f"/api/v1/admin/jobs/{began['job_id']}", headers=ada.headers)
    assert ("stats:daily", "queued") == (job.json()["kind"], job.json()["state"])
    await run_jobs(resources)
    found = (await api.get(SCHEDULES_URL, headers=ada.headers)).json()["items"][0]
    run = found["last_run"]
    assert (
        began["run_id"],
        "done",
        str(ada.id),
        {"users": 0, "activities": 0, "recounted": 0},
    ) == (
        run["id"],
        run["state"],
        run["fired_by"],
        run["counts"],
    )
    assert found["last_success_at"] == run["finished_at"]
    assert run["duration_s"] == found["last_duration_s"] > 0


async def test_a_dry_run_is_a_parameter(api: httpx.AsyncClient, database: Database) -> None:
    ada = await operator(database)
    answer = await api.post(
        f"{SCHEDULES_URL}/cleanup:daily/trigger?dry_run=true", headers=ada.headers
    )
    assert 202 == answer.status_code
    assert "true" == await database.fetchval("select payload->>'dry_run' from jobs")


@pytest.mark.parametrize("act", ["trigger", "pause", "resume"])
async def test_an_unknown_name_is_404_and_lists_the_known_ones(
    api: httpx.AsyncClient, database: Database, act: str
) -> None:
    ada = await operator(database)
    answer = await api.post(f"{SCHEDULES_URL}/stats:dayly/{act}", headers=ada.headers)
    assert 404 == answer.status_code
    assert all(name in answer.json()["detail"] for name in SCHEDULES)


@pytest.mark.parametrize("query", ["date=2999-01-01", "date=9999-12-31", "date=x", "dry_run=true"])
async def test_a_bad_trigger_is_refused(
    api: httpx.AsyncClient, database: Database, query: str
) -> None:
    ada = await operator(database)
    answer = await api.post(f"{SCHEDULES_URL}/stats:daily/trigger?{query}", headers=ada.headers)
    assert 400 == answer.status_code
    assert 0 == await database.fetchval("select count(*) from jobs")


async def test_a_paused_schedule_has_no_next_run_until_it_is_resumed(
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


async def test_the_history_is_read_by_pages(api: httpx.AsyncClient, database: Database) -> None:
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


async def test_the_metrics_tell_how_the_schedules_stand(
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
    await publish(database, now=noon)
    midnight = datetime(2026, 11, 25, tzinfo=UTC).timestamp()

    def shown(figure: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"activelog_schedule_{figure}", labels)

    assert 1 == shown("runs", schedule="stats:daily", outcome="done")
    assert 1 == shown("runs", schedule="cleanup:daily", outcome="dead")
    assert 1 == shown("consecutive_failures", schedule="cleanup:daily")
    assert 0 == shown("consecutive_failures", schedule="stats:daily")
    assert midnight == shown("next_due_timestamp_seconds", schedule="stats:daily")
    last = await database.fetchval(
        "select finished_at from schedule_runs where schedule = 'stats:daily'"
    )
    assert last.timestamp() == shown("last_success_timestamp_seconds", schedule="stats:daily")
    assert (shown("duration_seconds", schedule="stats:daily") or 0) > 0
