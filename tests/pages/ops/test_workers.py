"""Workers and what they run."""

from __future__ import annotations

import asyncio

import httpx

from app.jobs import Run
from app.resources import Resources
from app.transaction import Database
from tests.kit.trials import CALLS, DEEDS, Trial, put
from tests.kit.working import until, working
from tests.pages.browsing import words


async def test_a_worker_shows_its_slots_and_what_it_runs(
    desk: httpx.AsyncClient, database: Database, resources: Resources
) -> None:
    release = asyncio.Event()

    async def wait(_: Run, __: Resources) -> None:
        await release.wait()

    DEEDS["a"] = wait
    job_id = await put(database, Trial("a"))
    async with working(resources):
        await until(lambda: CALLS["a"] == 1)
        answer = await desk.get("/ops/workers")
        release.set()
    assert "alive 1 of 10 slots run a job" in words(answer)
    assert f'href="/ops/jobs/{job_id}">test:trial' in answer.text


async def test_a_worker_that_is_silent_is_gone(desk: httpx.AsyncClient, database: Database) -> None:
    assert "Nothing runs until one is started" in words(await desk.get("/ops/workers"))
    await database.execute(
        "insert into workers (id, host, pid, slots, seen_at)"
        " values (uuidv7(), 'there', 1, 10, now() - interval '11 s')"
    )
    assert "there 1 gone" in words(await desk.get("/ops/workers"))
