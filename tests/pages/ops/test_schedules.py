"""Schedules: listed, run now, paused, resumed."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from app.jobs.schedules.schedule import SCHEDULES
from app.postgres.database import Database
from tests.pages.browsing import path_of, press, words
from tests.support.people import Person
from tests.support.schedules import end_jobs, runs_of, triggered
from tests.support.working import RunJobs

PATH = "/ops/schedules"


async def test_every_schedule_is_listed_with_its_last_and_next_run(
    desk: httpx.AsyncClient, database: Database
) -> None:
    await triggered(database, "stats:daily")
    await end_jobs(database, "dead")
    said = words(await desk.get(PATH))
    for name in SCHEDULES:
        assert f"{name} " in said
    assert "stats:daily failed once dead" in said
    assert "emails:weekly active Never" in said


async def test_a_schedule_shows_what_its_runs_did(
    desk: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await triggered(database, "cleanup:daily", dry_run=True)
    await run_jobs()
    await triggered(database, "cleanup:daily", "2026-01-31")
    await end_jobs(database, "dead")
    said = words(await desk.get(f"{PATH}/cleanup:daily"))
    assert "dead 31 Jan 2026" in said
    assert "2.0 s why" in said or "2 s why" in said
    assert "jobs 0" in said


async def test_an_operator_runs_a_schedule_now_about_a_day(
    desk: httpx.AsyncClient, database: Database, ada: Person
) -> None:
    asked = await desk.get(f"{PATH}/cleanup:daily")
    with capture_logs() as logs:
        done = await press(desk, asked, "/trigger", date="2026-01-31", dry_run="true")
    assert path_of(done).startswith("/ops/jobs/")
    shown = words(await desk.get(path_of(done)))
    assert "cleanup:daily started for 31 Jan 2026." in shown
    assert '"dry_run": true' in shown
    assert [("2026-01-31", "running")] == await runs_of(database, "cleanup:daily")
    (told,) = [log for log in logs if log["event"] == "operator.triggered_schedule"]
    assert ("cleanup:daily", str(ada.id)) == (told["schedule"], told["by"])


async def test_an_operator_runs_a_schedule_now_from_the_list(
    desk: httpx.AsyncClient, database: Database
) -> None:
    done = await press(desk, await desk.get(PATH), "/stats:daily/trigger")
    assert 303 == done.status_code
    assert 1 == len(await runs_of(database, "stats:daily"))


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2999-01-01", "That day is not over yet."),
        ("the 1st", "Please check the fields below."),
    ],
)
async def test_what_cannot_be_run_is_refused_beside_the_form(
    desk: httpx.AsyncClient, database: Database, day: str, said: str
) -> None:
    refused = await press(desk, await desk.get(f"{PATH}/stats:daily"), "/trigger", date=day)
    assert 400 == refused.status_code
    assert said in words(refused)
    assert [] == await runs_of(database, "stats:daily")


async def test_an_operator_pauses_and_resumes_a_schedule(
    desk: httpx.AsyncClient, ada: Person
) -> None:
    with capture_logs() as logs:
        done = await press(desk, await desk.get(PATH), "/stats:daily/pause")
        shown = await desk.get(path_of(done))
        assert "stats:daily paused. It will not run until it is resumed." in words(shown)
        await press(desk, shown, "/stats:daily/resume")
    assert "stats:daily resumed." in words(await desk.get(PATH))
    assert [
        ("operator.paused_schedule", str(ada.id)),
        ("operator.resumed_schedule", str(ada.id)),
    ] == [(log["event"], log["by"]) for log in logs if "by" in log]


async def test_a_long_history_comes_by_pages(desk: httpx.AsyncClient, database: Database) -> None:
    await database.execute(
        "insert into schedule_runs (schedule, tick, day, fired_by, state, note, finished_at)"
        " select 'stats:daily', now() - n * interval '1 d', current_date, 'schedule', 'skipped',"
        " 'run ' || n || '.', now() from generate_series(1, 30) as n"
    )
    first = await desk.get(f"{PATH}/stats:daily")
    following = first.text.partition('href="/ops/schedules/stats:daily?before=')[2]
    rest = await desk.get(f"{PATH}/stats:daily?before={following[:36]}")
    assert (25, 5) == (first.text.count("skipped</span>"), rest.text.count("skipped</span>"))
