"""Workers and what they run."""

from __future__ import annotations

import httpx

from app.postgres.database import Database
from app.resources import Resources
from tests.pages.browsing import words
from tests.support.trials import Trial, held, put
from tests.support.working import eventually, working


async def test_a_worker_shows_its_slots_and_what_it_runs(
    desk: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    release = held("a")
    job_id = await put(database, Trial("a"))

    async def shows_it() -> bool:
        answer = await desk.get("/ops/workers")
        its_link = f'href="/ops/jobs/{job_id}">test:trial'
        return "alive 1 of 10 slots in use" in words(answer) and its_link in answer.text

    async with working(resources):
        await eventually(shows_it, True)
        release.set()


async def test_a_worker_that_is_silent_is_gone(desk: httpx.AsyncClient, database: Database) -> None:
    assert "No job runs until you start one" in words(await desk.get("/ops/workers"))
    await database.execute(
        "insert into workers (id, host, pid, slots, seen_at)"
        " values (uuidv7(), 'there', 1, 10, now() - interval '11 s')"
    )
    assert "there 1 not responding" in words(await desk.get("/ops/workers"))
