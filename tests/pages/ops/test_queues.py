"""Queues and kinds: listed, paused, resumed."""

from __future__ import annotations

import re
from urllib.parse import unquote

import httpx
import pytest
from structlog.testing import capture_logs

from app.jobs.handlers import HANDLERS
from app.postgres.database import Database
from tests.pages.browsing import path_of, press, words
from tests.support.people import Person
from tests.support.trials import CriticalTrial, Trial, put
from tests.support.working import RunJobs


async def paused(database: Database) -> list[tuple[str, str]]:
    return [tuple(row) for row in await database.fetch("select what, name from pauses")]


async def test_a_queue_shows_what_waits_what_runs_and_how_fast_it_empties(
    desk: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    for name in "abcdefghij":
        await put(database, CriticalTrial(name))
    await run_jobs()
    await put(database, CriticalTrial("k"))
    await database.execute(
        "update jobs set run_at = now() - interval '2 days 1 hour' where state = 'queued'"
    )
    said = words(await desk.get("/ops/queues"))
    # waiting, oldest, scheduled, running, completed a minute, weight
    assert "critical active 1 2 d 1 h 0 0 2.0 6 Pause" in said
    assert "0 0 0 1 Pause" in said.partition(" low active 0 ")[2]


async def test_every_kind_that_has_a_handler_is_listed(desk: httpx.AsyncClient) -> None:
    listed = re.findall(r'href="/ops/jobs\?kind=([^"]+)">', (await desk.get("/ops/queues")).text)
    expected = {job.kind for job in HANDLERS} | {"email:weekly_summary", "cleanup:daily"}
    assert expected <= {unquote(kind) for kind in listed}


@pytest.mark.parametrize(
    ("plural", "name", "what"), [("queues", "low", "queue"), ("kinds", "test:trial", "kind")]
)
async def test_an_operator_pauses_and_resumes_and_is_named_in_the_log(
    desk: httpx.AsyncClient, database: Database, ada: Person, plural: str, name: str, what: str
) -> None:
    await put(database, Trial("a"))
    asked = await desk.get("/ops/queues")
    with capture_logs() as logs:
        done = await press(desk, asked, f"/{plural}/{name}/pause")
        assert (303, "/ops/queues") == (done.status_code, path_of(done).partition("#")[0])
        assert [(what, name)] == await paused(database)
        shown = await desk.get("/ops/queues")
        assert "paused" in words(shown)
        await press(desk, shown, f"/{plural}/{name}/resume")
    assert [] == await paused(database)
    told = [(line["event"], line[what], line["by"]) for line in logs if "by" in line]
    assert [
        (f"operator.paused_{what}", name, str(ada.id)),
        (f"operator.resumed_{what}", name, str(ada.id)),
    ] == told
    assert ada.email not in str(logs)


async def test_what_snoozed_jobs_wait_for_is_told(
    desk: httpx.AsyncClient, database: Database
) -> None:
    await put(database, Trial("a"))
    await database.execute("update jobs set state = 'snoozed', blocked_on = 'smtp'")
    assert "smtp is unavailable : 1 job is waiting for it" in words(await desk.get("/ops/queues"))
