"""Queues and kinds: listed, paused and resumed."""

from __future__ import annotations

import re
from urllib.parse import unquote

import httpx
import pytest
from structlog.testing import capture_logs

from app.jobs.handlers import HANDLERS
from app.postgres.database import Database
from tests.pages.browsing import redirect_path, submit, text_of
from tests.support.people import Person
from tests.support.sample_jobs import CriticalSampleJob, SampleJob, enqueue_job
from tests.support.working import RunJobs


async def paused(database: Database) -> list[tuple[str, str]]:
    return [tuple(row) for row in await database.fetch("select what, name from pauses")]


async def test_queue_shows_its_waiting_jobs_their_age_and_its_throughput(
    ops_browser: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    for name in "abcdefghij":
        await enqueue_job(database, CriticalSampleJob(name))
    await run_jobs()
    await enqueue_job(database, CriticalSampleJob("k"))
    await database.execute(
        "update jobs set run_at = now() - interval '2 days 1 hour' where state = 'queued'"
    )
    text = text_of(await ops_browser.get("/ops/queues"))
    # Columns: waiting, oldest, not due yet, running, finished per minute, weight
    assert "critical active 1 2 d 1 h 0 0 2.0 6 Pause" in text
    assert "0 0 0 1 Pause" in text.partition(" low active 0 ")[2]


async def test_every_kind_that_has_a_handler_is_listed(ops_browser: httpx.AsyncClient) -> None:
    listed = re.findall(
        r'href="/ops/jobs\?kind=([^"]+)">', (await ops_browser.get("/ops/queues")).text
    )
    expected = {job.kind for job in HANDLERS} | {"email:weekly_summary", "cleanup:daily"}
    assert expected <= {unquote(kind) for kind in listed}


@pytest.mark.parametrize(
    ("plural", "name", "what"), [("queues", "low", "queue"), ("kinds", "test:sample", "kind")]
)
async def test_operator_pauses_and_resumes_a_queue_or_a_kind_and_the_log_has_their_id(
    ops_browser: httpx.AsyncClient,
    database: Database,
    ada: Person,
    plural: str,
    name: str,
    what: str,
) -> None:
    await enqueue_job(database, SampleJob("a"))
    page = await ops_browser.get("/ops/queues")
    with capture_logs() as logs:
        response = await submit(ops_browser, page, f"/{plural}/{name}/pause")
        assert (303, "/ops/queues") == (
            response.status_code,
            redirect_path(response).partition("#")[0],
        )
        assert [(what, name)] == await paused(database)
        page = await ops_browser.get("/ops/queues")
        assert "paused" in text_of(page)
        await submit(ops_browser, page, f"/{plural}/{name}/resume")
    assert [] == await paused(database)
    entries = [(line["event"], line[what], line["by"]) for line in logs if "by" in line]
    assert [
        (f"operator.paused_{what}", name, str(ada.id)),
        (f"operator.resumed_{what}", name, str(ada.id)),
    ] == entries
    assert ada.email not in str(logs)


async def test_outage_that_blocks_snoozed_jobs_is_shown(
    ops_browser: httpx.AsyncClient, database: Database
) -> None:
    await enqueue_job(database, SampleJob("a"))
    await database.execute("update jobs set state = 'snoozed', blocked_on = 'smtp'")
    assert "smtp is unavailable : 1 job is waiting for it" in text_of(
        await ops_browser.get("/ops/queues")
    )
