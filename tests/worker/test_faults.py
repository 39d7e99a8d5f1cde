"""No job is lost and no effect happens twice when something is killed, frozen or flushed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack

import asyncpg
import pytest

from app import jobs
from app.jobs import Job
from app.jobs.redis_queue import queue_key
from app.postgres.database import Database
from app.postgres.migrations import migrate
from app.resources import Resources, open_resources
from app.settings import Settings
from tests.support.ledger import count_effects, create_ledger
from tests.support.outages import (
    frozen,
    kill,
    own_postgres,
    own_valkey,
    terminate_backends,
)
from tests.support.owner import application_role
from tests.support.processes import WORKER, program
from tests.support.sample_jobs import Effect, enqueue_job, job_row
from tests.support.working import eventually

STARTS = "select count(*) from starts"
ATTEMPTS = "select distinct attempt from effects"

STOCK = ("-m", "arq", "tests.support.stock_worker.WorkerSettings")
CHECK = ("-m", "arq", "--check", "tests.support.sample_worker.WorkerSettings")


async def enqueue_many(database: Database, count: int, job: Job) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue_all(tx, [job] * count)


async def wait_for_effects(database: Database, count: int) -> None:
    """Wait until `count` jobs have had their effect, and check that no job had it twice."""
    await eventually(lambda: count_effects(database), (count, 0))


async def count_in_state(database: Database, state: str) -> int:
    return int(await database.fetchval("select count(*) from jobs where state = $1", state))


async def test_worker_suspended_past_its_lease_does_not_repeat_effects_when_it_resumes(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as suspended:
        # When the worker resumes, the 15 s have passed but the 60 s have not.
        await enqueue_many(effects, 3, Effect(seconds_at_first=15))
        await enqueue_many(effects, 2, Effect(seconds_at_first=60))
        await eventually(lambda: effects.fetchval(STARTS), 5)
        suspended.send(signal.SIGSTOP)
        async with program(*WORKER, environ=environ):
            await asyncio.sleep(20)
            await wait_for_effects(effects, 5)
            suspended.send(signal.SIGCONT)
            await eventually(lambda: count_lost_leases(suspended.output), 5)
            await wait_for_effects(effects, 5)
            assert suspended.is_running


async def test_worker_frozen_beyond_its_lease_does_not_reclaim_its_own_job(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        job_id = await enqueue_job(effects, Effect(seconds=3600))
        await eventually(lambda: effects.fetchval(STARTS), 1)
        with frozen(worker.process.pid):
            await asyncio.sleep(11)
        resumed = await effects.fetchval("select clock_timestamp() + interval '2 seconds'")

        async def has_new_heartbeat() -> bool:
            return bool(await effects.fetchval("select max(seen_at) from workers") > resumed)

        await eventually(has_new_heartbeat, True)
        assert 0 == (await job_row(effects, job_id))["crashes"]
        assert 1 == await effects.fetchval(STARTS)


async def count_lost_leases(output: str) -> int:
    return output.count('"job.lease_lost"')


async def test_no_job_is_lost_when_redis_is_frozen_for_ten_seconds(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with own_valkey() as valkey:
        await valkey.start()
        own = {**environ, **valkey.settings()}
        async with program(*WORKER, environ=own) as worker:
            await enqueue_many(effects, 30, Effect(seconds=0.5))
            await wait_for_at_least(effects, 10)
            assert valkey.pid is not None
            with frozen(valkey.pid):
                await enqueue_many(effects, 10, Effect())
                await asyncio.sleep(10)
            await wait_for_effects(effects, 40)
            assert worker.is_running


async def test_running_job_is_not_repeated_when_redis_is_killed_and_restarted(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with own_valkey() as valkey:
        await valkey.start()
        async with program(*WORKER, environ={**environ, **valkey.settings()}) as worker:
            job_id = await enqueue_job(effects, Effect(seconds=15))
            await eventually(lambda: effects.fetchval(STARTS), 1)
            await kill(valkey)
            assert 1 == await count_in_state(effects, "running")
            await asyncio.sleep(1)
            await valkey.start()
            await wait_for_effects(effects, 1)
            assert worker.is_running
            assert (await job_row(effects, job_id))["attempt"] == 1


async def test_worker_survives_terminated_postgres_connections_without_repeating_effects(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        await worker.wait_for_output("worker.started")
        await enqueue_many(effects, 200, Effect(seconds=0.02))
        terminated = 0
        for _ in range(60):
            await asyncio.sleep(0.05)
            terminated += await terminate_backends(effects)
        assert terminated > 0
        await wait_for_effects(effects, 200)
        assert worker.is_running


async def test_worker_survives_a_row_locked_by_another_program_and_runs_its_job_afterwards(
    effects: Database, environ: Mapping[str, str]
) -> None:
    await enqueue_job(effects, Effect())
    async with AsyncExitStack() as stack:
        other = await asyncpg.connect(environ["DATABASE_URL"])
        stack.push_async_callback(other.close)
        worker = await stack.enter_async_context(program(*WORKER, environ=environ))
        async with other.transaction():
            await other.execute("select from jobs for update")
            await worker.wait_for_output("worker.started")
            await asyncio.sleep(7)  # longer than the worker waits for a lock
            assert await count_effects(effects) == (0, 0)
        await wait_for_effects(effects, 1)
        assert worker.is_running


async def test_flushing_redis_while_a_worker_runs_a_thousand_jobs_loses_none(
    effects: Database, environ: Mapping[str, str], settings: Settings
) -> None:
    async with own_valkey() as valkey, AsyncExitStack() as stack:
        await valkey.start()
        own = {**environ, **valkey.settings()}
        opened = open_resources(Settings.from_env(own), process="activelog-tests")
        resources = await stack.enter_async_context(opened)
        async with program(*WORKER, environ=own) as worker:
            await worker.wait_for_output("worker.started")
            await enqueue_many(resources.database, 1000, Effect(seconds=0.02))
            await wait_for_at_least(resources.database, 100)
            assert await resources.redis.zcard(queue_key("default")) > 0
            await resources.redis.flushall()
            await wait_for_effects(effects, 1000)


async def wait_for_at_least(database: Database, count: int) -> None:
    async def enough() -> bool:
        return (await count_effects(database))[0] >= count

    await eventually(enough, True)


async def test_stock_arq_worker_and_ours_share_jobs_and_run_each_once(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*STOCK, environ=environ) as stock, program(*WORKER, environ=environ) as ours:
        for worker in (stock, ours):
            await worker.wait_for_output("worker.started")
        both, seen, count = {stock.process.pid, ours.process.pid}, set[int](), 0
        while seen != both:
            await enqueue_many(effects, 50, Effect(seconds=0.05))
            await wait_for_effects(effects, count := count + 50)
            seen = {row["pid"] for row in await effects.fetch("select pid from starts")}
        stock.send(signal.SIGTERM)
        await stock.ended()
    assert count == await effects.fetchval(STARTS)


async def test_arq_check_reports_whether_a_worker_is_alive(
    resources: Resources, environ: Mapping[str, str]
) -> None:
    assert await exit_code_of_check(environ) == 1
    async with program(*WORKER, environ=environ) as worker:
        await worker.wait_for_output("worker.started")
        # arq writes its key every few seconds.
        await eventually(lambda: exit_code_of_check(environ), 0)


async def exit_code_of_check(environ: Mapping[str, str]) -> int:
    async with program(*CHECK, environ=environ) as check:
        return await check.ended()


async def test_sigterm_releases_a_long_job_after_the_grace_period_without_counting_the_attempt(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ={**environ, "SHUTDOWN_GRACE": "1"}) as worker:
        job_id = await enqueue_job(effects, Effect(seconds=60))
        await eventually(lambda: count_in_state(effects, "running"), 1)
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    released = await job_row(effects, job_id)
    assert ("queued", 0, 0, 0) == tuple(
        released[column] for column in ("state", "attempt", "failures", "crashes")
    )


@pytest.mark.parametrize("seconds", [1, 11])
async def test_workers_survive_a_postgres_outage_without_repeating_jobs(
    resources: Resources, environ: Mapping[str, str], seconds: float
) -> None:
    async with own_postgres() as postgres, AsyncExitStack() as stack:
        own = {**environ, **postgres.settings()}
        await migrate(own["MIGRATIONS_DATABASE_URL"], role=application_role(own["DATABASE_URL"]))
        opened = open_resources(Settings.from_env(own), process="activelog-tests")
        database = (await stack.enter_async_context(opened)).database
        await create_ledger(database, own["MIGRATIONS_DATABASE_URL"])
        first, second = [
            await stack.enter_async_context(program(*WORKER, environ=own)) for _ in range(2)
        ]
        for worker in (first, second):
            await worker.wait_for_output("worker.started")
        await enqueue_many(database, 4, Effect(seconds=seconds + 3))
        await eventually(lambda: database.fetchval(STARTS), 4)
        await kill(postgres, signal.SIGINT)
        await asyncio.sleep(seconds)
        await postgres.start()
        await wait_for_effects(database, 4)
        assert first.is_running
        assert second.is_running
        assert [1] == [row["attempt"] for row in await database.fetch(ATTEMPTS)]
