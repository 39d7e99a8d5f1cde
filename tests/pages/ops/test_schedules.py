"""Schedules: listed, triggered, paused and resumed."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from app.jobs.schedules.schedule import SCHEDULES
from app.postgres.database import Database
from tests.pages.browsing import redirect_path, submit, text_of
from tests.support.people import Person
from tests.support.schedules import finish_jobs, list_runs, trigger_run
from tests.support.working import RunJobs

PATH = "/ops/schedules"


async def test_every_schedule_is_listed_with_its_last_run(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    await trigger_run(database, "stats:daily")
    await finish_jobs(database, "dead")
    text = text_of(await ops_browser.get(PATH))
    for name in SCHEDULES:
        assert f"{name} " in text
    assert "stats:daily failed once dead" in text
    assert "emails:weekly active Never" in text


async def test_schedule_shows_the_results_of_its_runs(
    ops_browser: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await trigger_run(database, "cleanup:daily", dry_run=True)
    await run_jobs()
    await trigger_run(database, "cleanup:daily", "2026-01-31")
    await finish_jobs(database, "dead")
    text = text_of(await ops_browser.get(f"{PATH}/cleanup:daily"))
    assert "dead 31 Jan 2026" in text
    assert "2.0 s why" in text or "2 s why" in text
    assert "jobs 0" in text


async def test_operator_triggers_a_schedule_for_a_given_day(
    ops_browser: httpx.AsyncClient, database: Database, ada: Person
) -> None:
    page = await ops_browser.get(f"{PATH}/cleanup:daily")
    with capture_logs() as logs:
        response = await submit(ops_browser, page, "/trigger", date="2026-01-31", dry_run="true")
    assert redirect_path(response).startswith("/ops/jobs/")
    text = text_of(await ops_browser.get(redirect_path(response)))
    assert "cleanup:daily triggered for 31 Jan 2026." in text
    assert '"dry_run": true' in text
    assert [("2026-01-31", "running")] == await list_runs(database, "cleanup:daily")
    (entry,) = [log for log in logs if log["event"] == "operator.triggered_schedule"]
    assert ("cleanup:daily", str(ada.id)) == (entry["schedule"], entry["by"])


async def test_operator_triggers_a_schedule_from_the_list(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    response = await submit(ops_browser, await ops_browser.get(PATH), "/stats:daily/trigger")
    assert 303 == response.status_code
    assert 1 == len(await list_runs(database, "stats:daily"))


@pytest.mark.parametrize(
    ("day", "text"),
    [
        ("2999-01-01", "That day is not over yet."),
        ("the 1st", "Please check the fields below."),
    ],
)
async def test_invalid_day_is_rejected_and_the_error_is_shown(
    ops_browser: httpx.AsyncClient, database: Database, day: str, text: str
) -> None:
    refused = await submit(
        ops_browser, await ops_browser.get(f"{PATH}/stats:daily"), "/trigger", date=day
    )
    assert 400 == refused.status_code
    assert text in text_of(refused)
    assert [] == await list_runs(database, "stats:daily")


async def test_operator_pauses_and_resumes_a_schedule(
    ops_browser: httpx.AsyncClient, ada: Person
) -> None:
    with capture_logs() as logs:
        response = await submit(ops_browser, await ops_browser.get(PATH), "/stats:daily/pause")
        page = await ops_browser.get(redirect_path(response))
        assert "stats:daily paused. It will not run on schedule until you resume it." in text_of(
            page
        )
        await submit(ops_browser, page, "/stats:daily/resume")
    assert "stats:daily resumed." in text_of(await ops_browser.get(PATH))
    assert [
        ("operator.paused_schedule", str(ada.id)),
        ("operator.resumed_schedule", str(ada.id)),
    ] == [(log["event"], log["by"]) for log in logs if "by" in log]


async def test_runs_are_paged(ops_browser: httpx.AsyncClient, database: Database) -> None:
    await database.execute(
        "insert into schedule_runs (schedule, tick, day, fired_by, state, note, finished_at)"
        " select 'stats:daily', now() - n * interval '1 d', current_date, 'schedule', 'skipped',"
        " 'run ' || n || '.', now() from generate_series(1, 30) as n"
    )
    first = await ops_browser.get(f"{PATH}/stats:daily")
    following = first.text.partition('href="/ops/schedules/stats:daily?before=')[2]
    rest = await ops_browser.get(f"{PATH}/stats:daily?before={following[:36]}")
    assert (25, 5) == (first.text.count("skipped</span>"), rest.text.count("skipped</span>"))
