"""The process `arq worker.WorkerSettings`, through signals and outages of Redis."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping

import pytest

from app import jobs, priority
from app.jobs.scheduling import SCHEDULES
from app.resources import Resources
from app.transaction import Database
from tests.kit.outages import valkey_of_one
from tests.kit.processes import WORKER, program
from tests.kit.trials import Effect
from tests.kit.working import eventually, until


async def put_effects(database: Database, count: int, seconds: float = 0) -> None:
    async with database.transaction() as tx:
        for _ in range(count):
            await jobs.enqueue(tx, Effect(seconds))


async def count_effects(database: Database) -> int:
    return int(await database.fetchval("select count(*) from effects"))


async def test_it_runs_jobs_and_drains_on_sigterm(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        await put_effects(effects, 5)
        await eventually(lambda: count_effects(effects), 5)
        await put_effects(effects, 3, seconds=1)
        await eventually(lambda: count_starts(effects), 8)  # what is only claimed is given back
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    assert await count_effects(effects) == 8
    assert '"event": "worker.drained"' in worker.said


async def count_starts(database: Database) -> int:
    return int(await database.fetchval("select count(*) from starts"))


async def test_it_lets_those_go_first_that_somebody_waits_for(
    database: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        await worker.says("worker.claims")
        nice = max(priority.WORKER, os.getpriority(os.PRIO_PROCESS, 0))
        assert nice == os.getpriority(os.PRIO_PROCESS, worker.process.pid)


async def test_it_starts_and_drains_without_redis_and_works_when_redis_comes(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with valkey_of_one() as valkey:
        without = {**environ, **valkey.settings()}
        async with program(*WORKER, environ=without) as worker:
            await worker.says("worker.claims")
            await put_effects(effects, 5)
            await valkey.start()
            await eventually(lambda: count_effects(effects), 5)
            waited = worker.said.count("intake.waits")
            await valkey.stop()
            await until(lambda: worker.said.count("intake.waits") > waited)
            worker.send(signal.SIGTERM)
            assert await worker.ended() == 0


async def test_the_products_worker_fires_schedules_by_the_clock_of_postgres(
    database: Database, environ: Mapping[str, str]
) -> None:
    before = await database.fetchval("select clock_timestamp()")
    async with program("-m", "arq", "worker.WorkerSettings", environ=environ) as worker:
        known = (
            "select count(*) from schedules where decided_until between $1 and clock_timestamp()"
        )
        await eventually(lambda: database.fetchval(known, before), len(SCHEDULES))
        for name in SCHEDULES:
            await worker.says(f"cron:{name}")


async def test_every_line_of_its_log_is_one_json_object(
    resources: Resources, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        await worker.says("worker.claims")
        worker.send(signal.SIGTERM)
        await worker.ended()
    events = [json.loads(line)["event"] for line in worker.said.splitlines()]
    assert any("Starting worker for" in event for event in events)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", "http://127.0.0.1"),
        ("DATABASE_URL", ""),
        ("WORKER_SLOTS", "many"),
        ("SMTP_URL", "smtp://host?tls=perhaps"),
        ("QUEUE_WEIGHTS", "critical=1"),
        ("SECRET_KEY", "short"),
    ],
)
async def test_a_bad_setting_is_one_line_that_names_it_and_exit_code_2(
    environ: Mapping[str, str], variable: str, value: str
) -> None:
    bad = {**environ, variable: value}
    async with program(*WORKER, environ=bad) as worker:
        assert await worker.ended() == 2
    assert worker.said.startswith(f"activelog: {variable} ")
    assert len(worker.said.splitlines()) == 1


async def test_a_killed_worker_loses_no_job(
    effects: Database, environ: Mapping[str, str], resources: Resources
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        async with effects.transaction() as tx:
            await jobs.enqueue_all(tx, [Effect(at_first=60)] * 3)
        await eventually(lambda: count_starts(effects), 3)
        await worker.kill()
        assert 0 == await count_effects(effects)
        async with program(*WORKER, environ=environ):
            await eventually(lambda: count_effects(effects), 3)
