"""Operators at work: finding problems, pausing queues, and retrying and cancelling jobs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from app import jobs
from app.jobs.admin import queues
from app.postgres.database import Database
from app.resources import Resources
from app.users.accounts import register
from tests.browser.accessibility import assert_page_is_accessible
from tests.browser.page_errors import CONNECTION_ERRORS, PageErrors
from tests.browser.people import add_operator, sign_in
from tests.email.scripted import scripted_server, smtp_pool_to
from tests.jobs.operators import dead
from tests.support.sample_jobs import CriticalSampleJob, LowSampleJob, SampleJob, enqueue_job
from tests.support.schedules import finish_jobs, trigger_run
from tests.support.working import WAIT_LIMIT_S, RunJobs, running_worker, until

SPAM = "550 5.7.1 <b>looks</b> like spam"


async def test_operator_fixes_the_cause_of_dead_letters_and_retries_them(
    page: Page, resources: Resources
) -> None:
    database = resources.database
    await add_operator(database)
    async with (
        scripted_server({"content": SPAM}) as server,
        smtp_pool_to(server, timeout=WAIT_LIMIT_S) as smtp_pool,
    ):
        async with running_worker(
            replace(resources, sender=replace(resources.sender, smtp_pool=smtp_pool))
        ):
            await sign_in(page, "/ops")
            async with database.transaction() as tx:
                for name in ("kim", "lee"):
                    await register(tx, f"{name}@example.com", name, "no password")

            await page.get_by_role("link", name="2 dead letters from 1 cause").click()
            await expect(page).to_have_url("/ops/dead-letters")
            await assert_page_is_accessible(page, "ops-dead-letters")
            await page.get_by_role("link", name="2 email:welcome").click()
            await expect(page.get_by_role("region", name="Error")).to_contain_text(SPAM)
            await assert_page_is_accessible(page, "ops-dead-letter")

            server.replies.clear()
            await page.get_by_role("button", name="Retry all 2").click()
            await expect(page.get_by_role("status")).to_have_text("2 jobs were queued for retry.")
            await expect(page.get_by_role("heading", name="No dead letters")).to_be_visible()

            await page.get_by_role("link", name="Jobs").click()
            done = page.get_by_role("row", name="done email:welcome")
            await expect(done).to_have_count(2)
            await done.first.get_by_role("link", name="email:welcome").click()
            await expect(
                page.get_by_role("listitem").filter(has_text="Attempt 2 done")
            ).to_be_visible()
            await assert_page_is_accessible(page, "ops-job")
    assert 2 == len(server.accepted)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("overview", "/ops"),
        ("queues", "/ops/queues"),
        ("jobs", "/ops/jobs"),
        ("jobs-none", "/ops/jobs?kind=none"),
        ("job-running", "/ops/jobs?search={running}"),
        ("schedules", "/ops/schedules"),
        ("schedule", "/ops/schedules/cleanup:daily"),
        ("workers", "/ops/workers"),
    ],
)
async def test_page_with_a_lot_of_data_is_accessible(
    page: Page, database: Database, run_jobs: RunJobs, name: str, path: str
) -> None:
    await add_operator(database)
    await dead(database, run_jobs, SampleJob("a"), SampleJob("b"), reason="no such page, " * 40)
    await trigger_run(database, "cleanup:daily")
    await finish_jobs(database, "dead")
    await enqueue_job(database, LowSampleJob("c"))
    await database.execute(
        """update jobs set state = 'snoozed', blocked_on = 'smtp' where kind = 'test:low'"""
    )
    running = await enqueue_job(database, CriticalSampleJob("d"))
    await database.execute(RUNNING, running)
    async with database.transaction() as tx:
        await queues.pause_queue(tx, "low", by="test")
    await sign_in(page, "/ops")
    await page.goto(path.format(running=running))
    await assert_page_is_accessible(page, f"ops-{name}")


RUNNING = """
with worker as (
    insert into workers (id, host, pid, slots) values (uuidv7(), 'worker-1', 4711, 10) returning id
)
update jobs set
    state = 'running', started_at = now(), token = uuidv7(), worker_id = worker.id,
    progress = '{"done": 1204, "total": 5000}'
from worker where jobs.id = $1
"""


async def test_live_updates_stop_while_a_dialog_is_open(page: Page, resources: Resources) -> None:
    await add_operator(resources.database)
    async with resources.database.transaction() as tx:
        later = datetime.now(UTC) + timedelta(days=1)
        job_id = await jobs.enqueue(tx, SampleJob("a"), run_at=later)
    await sign_in(page, f"/ops/jobs/{job_id}")
    await page.get_by_role("button", name="Cancel").click()
    await page.evaluate(RECORD_CANCELLED_POLL)
    await page.wait_for_function("() => window.pollWasCancelled")
    dialog = page.get_by_role("dialog", name="Cancel this job?")
    await assert_page_is_accessible(page, "ops-dialog")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()

    await resources.database.execute("update jobs set unique_key = 'a new one'")
    await expect(page.get_by_text("a new one")).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await dialog.get_by_role("button", name="Cancel job").click()
    await expect(page.get_by_role("status")).to_have_text("Job cancelled.")


async def test_response_in_flight_does_not_close_a_dialog(page: Page, database: Database) -> None:
    await add_operator(database)
    job_id = await enqueue_job(database, SampleJob("a"))
    await sign_in(page, f"/ops/jobs/{job_id}")
    requested, dialog_opened = asyncio.Event(), asyncio.Event()

    async def delay(route: Route) -> None:
        requested.set()
        await dialog_opened.wait()
        await route.continue_()

    await page.route(f"**/ops/jobs/{job_id}", delay)
    await until(requested.is_set)
    await page.get_by_role("button", name="Cancel").click()
    await page.evaluate(RECORD_CANCELLED_SWAP)
    dialog_opened.set()
    await page.wait_for_function("() => window.swapWasCancelled")
    await expect(page.get_by_role("dialog", name="Cancel this job?")).to_be_visible()


RECORD_CANCELLED_POLL = """() => document.addEventListener("htmx:beforeRequest", (event) => {
    setTimeout(() => { window.pollWasCancelled = event.defaultPrevented })
})"""
RECORD_CANCELLED_SWAP = """() => document.addEventListener("htmx:beforeSwap", (event) => {
    setTimeout(() => { window.swapWasCancelled = event.detail.shouldSwap === false })
})"""
"""Both scripts read the outcome after all other listeners have run, whatever their order."""


async def test_page_shows_that_it_is_out_of_date_while_the_service_is_down(
    page: Page, database: Database, page_errors: PageErrors
) -> None:
    await add_operator(database)
    await sign_in(page, "/ops/workers")
    alert = page.get_by_role("alert")
    await page.route("**/ops/workers", lambda route: route.abort("connectionrefused"))
    await expect(alert).to_contain_text("This page is out of date")
    page_errors.ignore(CONNECTION_ERRORS)
    await assert_page_is_accessible(page, "ops-stale")
    await page.unroute("**/ops/workers")
    await expect(alert).to_be_hidden()
    page_errors.ignore(CONNECTION_ERRORS)


async def test_operator_pages_work_without_scripts(
    context_without_scripts: BrowserContext, resources: Resources, run_jobs: RunJobs
) -> None:
    await add_operator(resources.database)
    await dead(resources.database, run_jobs, SampleJob("a"), SampleJob("b"), reason="no such page")
    page = await context_without_scripts.new_page()
    await sign_in(page, "/ops/queues")
    await page.get_by_role("button", name="Pause low").click()
    await expect(page.get_by_role("status")).to_contain_text("Queue low paused.")

    await page.get_by_role("link", name="Dead letters").click()
    await page.get_by_role("button", name="Discard 2 test:sample").click()
    await page.get_by_role("button", name="Discard jobs").click()
    await expect(page.get_by_role("status")).to_have_text("2 jobs were discarded.")
    states = await resources.database.fetch("select distinct state from jobs")
    assert ["cancelled"] == [row["state"] for row in states]
