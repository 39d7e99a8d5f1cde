"""A backup made as in docs/operations.md: its unfinished jobs run after it is restored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from app.embedded.wheels import postgres_folder
from app.resources import Resources, open_resources
from tests.support.ledger import count_effects, create_ledger
from tests.support.owner import owner_url
from tests.support.sample_jobs import Effect, enqueue_job
from tests.support.working import eventually, running_worker

RUNNING = """
with lost as (
    insert into workers (id, host, pid, slots, seen_at)
    values (uuidv7(), 'elsewhere', 1, 1, now() - interval '1 hour')
    returning id
)
update jobs set
    state = 'running', attempt = 1, started_at = now() - interval '1 hour', token = uuidv7(),
    worker_id = lost.id, dispatched_at = now()
from lost
where jobs.id = $1
"""
DONE = """
update jobs set state = 'done', finished_at = now(), attempt = 1, dispatched_at = now()
where id = $1
"""
STATES = "select array_agg(distinct concat_ws(' ', state, blocked_on, error)) from jobs"


async def test_unfinished_jobs_in_a_restored_dump_run_once_with_an_empty_redis(
    resources: Resources, tmp_path: Path, worker_index: int
) -> None:
    await create_ledger(resources.database)
    jobs = [await enqueue_job(resources.database, Effect()) for _ in range(6)]
    await resources.database.execute(RUNNING, jobs[0])
    await resources.database.execute(DONE, jobs[1])
    await resources.redis.flushdb()
    url = resources.settings.database.url
    source = owner_url(url)
    async with empty_database(source, f"restored_{worker_index}") as target:
        dump = tmp_path / "activelog.dump"
        await run("pg_dump", f"--dbname={source}", "-Fc", f"--file={dump}")
        await run("pg_restore", f"--dbname={target}", "--exit-on-error", dump)
        settings = resources.settings
        url = urlsplit(url)._replace(path=urlsplit(target).path).geturl()
        settings = replace(settings, database=replace(settings.database, url=url))
        async with (
            open_resources(settings, process="activelog-tests") as restored,
            running_worker(restored),
        ):
            await eventually(lambda: restored.database.fetchval(STATES), ["done"])
            assert await count_effects(restored.database) == (5, 0)


@asynccontextmanager
async def empty_database(url: str, name: str) -> AsyncIterator[str]:
    admin = await asyncpg.connect(url)
    await admin.execute(f"drop database if exists {name} with (force)")
    await admin.execute(f"create database {name}")
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


async def run(program: str, *arguments: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(
        postgres_folder() / "bin" / program, *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
