"""Workers and their running jobs."""

from __future__ import annotations

import httpx

from app.postgres.database import Database
from app.resources import Resources
from tests.pages.browsing import text_of
from tests.support.sample_jobs import SampleJob, block, enqueue_job
from tests.support.working import eventually, running_worker


async def test_worker_shows_its_slots_and_running_jobs(
    ops_browser: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    unblock = block("a")
    job_id = await enqueue_job(database, SampleJob("a"))

    async def shows_the_job() -> bool:
        response = await ops_browser.get("/ops/workers")
        job_link = f'href="/ops/jobs/{job_id}">test:sample'
        return "alive 1 of 10 slots in use" in text_of(response) and job_link in response.text

    async with running_worker(resources):
        await eventually(shows_the_job, True)
        unblock.set()


async def test_worker_without_a_recent_heartbeat_is_shown_as_not_responding(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    assert "Jobs wait until you start a worker" in text_of(await ops_browser.get("/ops/workers"))
    await database.execute(
        "insert into workers (id, host, pid, slots, seen_at)"
        " values (uuidv7(), 'there', 1, 10, now() - interval '11 s')"
    )
    assert "there 1 not responding" in text_of(await ops_browser.get("/ops/workers"))
