"""Jobs, found and looked at, run again and cancelled."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app.jobs import JobId, Run
from app.postgres.database import Database
from app.resources import Resources
from app.users.emails import WelcomeEmail
from tests.jobs.operators import dead
from tests.pages.browsing import path_of, press, words
from tests.support.people import Person, person
from tests.support.schedules import triggered
from tests.support.trials import DEEDS, CriticalTrial, LowTrial, Trial, put, row
from tests.support.working import RunJobs, eventually, working

JOBS = "/ops/jobs"


async def found(desk: httpx.AsyncClient, path: str = JOBS, **query: Any) -> list[str]:
    """The ids of the jobs on a page."""
    answer = await desk.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return re.findall(r'<td><a href="/ops/jobs/([0-9a-f-]{36})">', answer.text)


async def state_of(database: Database, job_id: JobId) -> str:
    return str((await row(database, job_id))["state"])


async def test_jobs_are_found_by_state_kind_queue_and_user(
    desk: httpx.AsyncClient, database: Database
) -> None:
    kim = await person(database, "kim")
    trial = str(await put(database, Trial("a")))
    low = str(await put(database, LowTrial("b")))
    letter = str(await put(database, WelcomeEmail(kim.id)))
    await database.execute("update jobs set run_at = now() + interval '1 day' where id = $1", low)
    assert [letter, low, trial] == await found(desk)
    assert [letter, low, trial] == await found(desk, state="queued", kind="", user=" ")
    assert [] == await found(desk, state="done")
    assert [letter] == await found(desk, kind="email:welcome")
    assert [low] == await found(desk, queue="low")
    assert [letter] == await found(desk, user="KIM@example.com")
    assert [letter] == await found(desk, user=str(kim.id))


async def test_a_search_finds_words_of_an_error_a_request_and_an_occasion(
    desk: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    (failed,) = await dead(database, run_jobs, Trial("a"), reason="No such page: 100%_of it")
    (other,) = await dead(database, run_jobs, Trial("b", key="ab"), reason="too late")
    await database.execute("update jobs set request_id = 'r-1' where id = $1", failed)
    assert [str(failed)] == await found(desk, search="no such PAGE")
    assert [str(failed)] == await found(desk, search="100%_OF")
    assert [] == await found(desk, search="100__of")
    assert [str(failed)] == await found(desk, search="r-1")
    assert [str(other)] == await found(desk, search="ab", state="dead")


async def test_a_search_for_an_id_leads_to_the_job(
    desk: httpx.AsyncClient, database: Database
) -> None:
    job_id = await put(database, Trial("a"))
    answer = await desk.get(JOBS, params={"search": f" {str(job_id).upper()} "})
    assert (303, f"{JOBS}/{job_id}") == (answer.status_code, path_of(answer))


async def test_what_is_no_filter_is_marked(desk: httpx.AsyncClient) -> None:
    answer = await desk.get(JOBS, params={"state": "asleep", "search": "x" * 201})
    assert 400 == answer.status_code
    assert 2 == answer.text.count('aria-invalid="true"')
    answer = await desk.get(JOBS, params={"user": "nobody@example.com"})
    assert 400 == answer.status_code
    assert "No user has this ID or address" in words(answer)


async def test_a_long_list_comes_by_pages_which_keep_the_filters(
    desk: httpx.AsyncClient, database: Database
) -> None:
    await database.execute(
        "insert into jobs (kind, queue, payload) select 'test:trial', 'low', '{}'"
        " from generate_series(1, 60)"
    )
    await put(database, CriticalTrial("a"))
    first = await desk.get(JOBS, params={"queue": "low"})
    (following,) = re.findall(r'href="(/ops/jobs\?[^"]*before=[^"]+)"', first.text)
    rest = await found(desk, following.replace("&amp;", "&"))
    assert (50, 10) == (len(await found(desk, queue="low")), len(rest))
    assert not set(rest) & set(await found(desk, queue="low"))


async def test_a_job_shows_its_attempts_their_traces_and_its_history(
    desk: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    async def fail(_: Run, __: Resources) -> None:
        raise ValueError("<script>alert(1)</script> & 'so on'")

    DEEDS["a"] = fail
    job_id = await put(database, Trial("a", key="<b>the key</b>"))
    async with working(resources):
        await eventually(lambda: state_of(database, job_id), "dead")
    answer = await desk.get(f"{JOBS}/{job_id}")
    said = words(answer)
    assert "ValueError: <script>alert(1)</script> & 'so on'" in said
    assert "<script>alert" not in answer.text
    assert "<b>the key" not in answer.text
    for part in ("Attempt 4 dead", "Attempt 1 retried", "Traceback (most recent call last)"):
        assert part in said
    assert "attempt 4 ended: dead" in said
    assert "Attempts 4 Failures 4 (reset when an operator retries the job)" in said
    assert re.search(r'title="[^"]+, \d\d:\d\d:\d\d UTC" data-local="second"', answer.text)
    assert 'hx-trigger="every' not in answer.text  # nothing can change any more


async def test_a_job_that_is_not_finished_is_watched(
    desk: httpx.AsyncClient, database: Database
) -> None:
    job_id = await put(database, Trial("a"))
    await database.execute("""update jobs set progress = '{"done": 1204, "total": 5000}'""")
    answer = await desk.get(f"{JOBS}/{job_id}")
    assert 'hx-trigger="every 2s"' in answer.text
    assert 'max="5000" value="1204"' in answer.text
    assert "done 1,204 total 5,000" in words(answer)


async def test_a_job_of_a_schedule_leads_to_it(desk: httpx.AsyncClient, database: Database) -> None:
    job_id = await triggered(database, "stats:daily", "2026-01-31")
    answer = await desk.get(f"{JOBS}/{job_id}")
    assert "stats:daily for 31 Jan 2026" in words(answer)
    assert 'href="/ops/schedules/stats:daily"' in answer.text


async def test_an_operator_runs_one_dead_job_again(
    desk: httpx.AsyncClient, database: Database, run_jobs: RunJobs, ada: Person
) -> None:
    (job_id,) = await dead(database, run_jobs, Trial("a"), reason="no such page")
    with capture_logs() as logs:
        done = await press(desk, await desk.get(f"{JOBS}/{job_id}"), "/retry")
    assert (303, f"{JOBS}/{job_id}") == (done.status_code, path_of(done))
    assert "Job queued for retry." in words(await desk.get(path_of(done)))
    assert ("operator.retried_job", str(ada.id)) in [(log["event"], log.get("by")) for log in logs]
    await run_jobs()
    assert "done" == await state_of(database, job_id)


@pytest.mark.parametrize(
    ("state", "said"),
    [("queued", "Job cancelled."), ("running", "The worker stops the job within two seconds.")],
)
async def test_an_operator_cancels_a_job(
    desk: httpx.AsyncClient, database: Database, ada: Person, state: str, said: str
) -> None:
    job_id = await put(database, Trial("a"))
    await database.execute(
        "update jobs set state = $1, started_at = now(), worker_id = uuidv7(), token = uuidv7()",
        state,
    )
    asked = await desk.get(f"{JOBS}/{job_id}")
    with capture_logs() as logs:
        done = await press(desk, asked, "/cancel")
    assert said in words(await desk.get(path_of(done)))
    assert ("operator.cancelled_job", str(ada.id)) in [
        (log["event"], log.get("by")) for log in logs
    ]
    late = await press(desk, asked, "/cancel")
    assert (409 if state == "queued" else 303) == late.status_code
