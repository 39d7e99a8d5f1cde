"""Jobs: searched, shown, retried and cancelled."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app.jobs import JobId, Run
from app.postgres.database import Database
from app.resources import Resources
from app.users.emails import SendWelcomeEmail
from tests.jobs.operators import dead
from tests.pages.browsing import redirect_path, submit, text_of
from tests.support.people import Person, person
from tests.support.sample_jobs import (
    BEHAVIOURS,
    CriticalSampleJob,
    LowSampleJob,
    SampleJob,
    enqueue_job,
    job_row,
)
from tests.support.schedules import trigger_run
from tests.support.working import RunJobs, eventually, running_worker

JOBS = "/ops/jobs"


async def job_ids(ops_browser: httpx.AsyncClient, path: str = JOBS, **query: Any) -> list[str]:
    """Return the ids of the jobs on a page."""
    response = await ops_browser.get(path, params=query or None)
    assert response.status_code == 200, response.text
    return re.findall(r'<td><a href="/ops/jobs/([0-9a-f-]{36})">', response.text)


async def state_of(database: Database, job_id: JobId) -> str:
    return str((await job_row(database, job_id))["state"])


async def test_jobs_are_filtered_by_state_kind_queue_and_user(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    kim = await person(database, "kim")
    sample = str(await enqueue_job(database, SampleJob("a")))
    scheduled = str(await enqueue_job(database, LowSampleJob("b")))
    welcome = str(await enqueue_job(database, SendWelcomeEmail(kim.id)))
    await database.execute(
        "update jobs set run_at = now() + interval '1 day' where id = $1", scheduled
    )
    assert [welcome, scheduled, sample] == await job_ids(ops_browser)
    assert [welcome, scheduled, sample] == await job_ids(
        ops_browser, state="queued", kind="", user=" "
    )
    assert [] == await job_ids(ops_browser, state="done")
    assert [welcome] == await job_ids(ops_browser, kind="email:welcome")
    assert [scheduled] == await job_ids(ops_browser, queue="low")
    assert [welcome] == await job_ids(ops_browser, user="KIM@example.com")
    assert [welcome] == await job_ids(ops_browser, user=str(kim.id))


async def test_search_finds_jobs_by_error_text_request_id_and_unique_key(
    ops_browser: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    (failed,) = await dead(database, run_jobs, SampleJob("a"), reason="No such page: 100%_of it")
    (other,) = await dead(database, run_jobs, SampleJob("b", key="ab"), reason="too late")
    await database.execute("update jobs set request_id = 'r-1' where id = $1", failed)
    assert [str(failed)] == await job_ids(ops_browser, search="no such PAGE")
    assert [str(failed)] == await job_ids(ops_browser, search="100%_OF")
    assert [] == await job_ids(ops_browser, search="100__of")
    assert [str(failed)] == await job_ids(ops_browser, search="r-1")
    assert [str(other)] == await job_ids(ops_browser, search="ab", state="dead")


async def test_search_for_an_id_redirects_to_the_job(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    response = await ops_browser.get(JOBS, params={"search": f" {str(job_id).upper()} "})
    assert (303, f"{JOBS}/{job_id}") == (response.status_code, redirect_path(response))


async def test_invalid_filters_are_marked(ops_browser: httpx.AsyncClient) -> None:
    response = await ops_browser.get(JOBS, params={"state": "asleep", "search": "x" * 201})
    assert 400 == response.status_code
    assert 2 == response.text.count('aria-invalid="true"')
    response = await ops_browser.get(JOBS, params={"user": "nobody@example.com"})
    assert 400 == response.status_code
    assert "No user has this ID or address" in text_of(response)


async def test_next_page_of_jobs_keeps_the_filters(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    await database.execute(
        "insert into jobs (kind, queue, payload) select 'test:sample', 'low', '{}'"
        " from generate_series(1, 60)"
    )
    await enqueue_job(database, CriticalSampleJob("a"))
    first = await ops_browser.get(JOBS, params={"queue": "low"})
    (following,) = re.findall(r'href="(/ops/jobs\?[^"]*before=[^"]+)"', first.text)
    rest = await job_ids(ops_browser, following.replace("&amp;", "&"))
    assert (50, 10) == (len(await job_ids(ops_browser, queue="low")), len(rest))
    assert not set(rest) & set(await job_ids(ops_browser, queue="low"))


async def test_job_shows_its_attempts_tracebacks_and_timeline(
    ops_browser: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    async def fail(_: Run, __: Resources) -> None:
        raise ValueError("<script>alert(1)</script> & 'so on'")

    BEHAVIOURS["a"] = fail
    job_id = await enqueue_job(database, SampleJob("a", key="<b>the key</b>"))
    async with running_worker(resources):
        await eventually(lambda: state_of(database, job_id), "dead")
    response = await ops_browser.get(f"{JOBS}/{job_id}")
    text = text_of(response)
    assert "ValueError: <script>alert(1)</script> & 'so on'" in text
    assert "<script>alert" not in response.text
    assert "<b>the key" not in response.text
    for part in ("Attempt 4 dead", "Attempt 1 retried", "Traceback (most recent call last)"):
        assert part in text
    assert "attempt 4 ended: dead" in text
    assert "Attempts 4 Failures 4 (reset when an operator retries the job)" in text
    assert re.search(r'title="[^"]+, \d\d:\d\d:\d\d UTC" data-local="second"', response.text)
    assert 'hx-trigger="every' not in response.text  # the job has finished


async def test_page_of_an_unfinished_job_polls_for_updates(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await database.execute("""update jobs set progress = '{"done": 1204, "total": 5000}'""")
    response = await ops_browser.get(f"{JOBS}/{job_id}")
    assert 'hx-trigger="every 2s"' in response.text
    assert 'max="5000" value="1204"' in response.text
    assert "done 1,204 total 5,000" in text_of(response)


async def test_job_of_a_schedule_links_to_the_schedule(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    job_id = await trigger_run(database, "stats:daily", "2026-01-31")
    response = await ops_browser.get(f"{JOBS}/{job_id}")
    assert "stats:daily for 31 Jan 2026" in text_of(response)
    assert 'href="/ops/schedules/stats:daily"' in response.text


async def test_operator_retries_a_dead_job(
    ops_browser: httpx.AsyncClient, database: Database, run_jobs: RunJobs, ada: Person
) -> None:
    (job_id,) = await dead(database, run_jobs, SampleJob("a"), reason="no such page")
    with capture_logs() as logs:
        response = await submit(ops_browser, await ops_browser.get(f"{JOBS}/{job_id}"), "/retry")
    assert (303, f"{JOBS}/{job_id}") == (response.status_code, redirect_path(response))
    assert "Job queued for retry." in text_of(await ops_browser.get(redirect_path(response)))
    assert ("operator.retried_job", str(ada.id)) in [(log["event"], log.get("by")) for log in logs]
    await run_jobs()
    assert "done" == await state_of(database, job_id)


@pytest.mark.parametrize(
    ("state", "text"),
    [("queued", "Job cancelled."), ("running", "The worker stops the job within two seconds.")],
)
async def test_operator_cancels_a_job(
    ops_browser: httpx.AsyncClient, database: Database, ada: Person, state: str, text: str
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await database.execute(
        "update jobs set state = $1, started_at = now(), worker_id = uuidv7(), token = uuidv7()",
        state,
    )
    page = await ops_browser.get(f"{JOBS}/{job_id}")
    with capture_logs() as logs:
        response = await submit(ops_browser, page, "/cancel")
    assert text in text_of(await ops_browser.get(redirect_path(response)))
    assert ("operator.cancelled_job", str(ada.id)) in [
        (log["event"], log.get("by")) for log in logs
    ]
    late = await submit(ops_browser, page, "/cancel")
    assert (409 if state == "queued" else 303) == late.status_code
