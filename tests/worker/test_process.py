"""The process `arq worker.WorkerSettings`: signals, Redis outages and invalid settings."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
import pytest

from app import jobs, process_priority
from app.embedded.ports import free_ports
from app.event_loop import DUPLICATE_SIGNAL_S
from app.jobs.schedules import SCHEDULES
from app.postgres.database import Database
from app.resources import Resources
from tests.support.outages import own_valkey
from tests.support.processes import WORKER, program
from tests.support.sample_jobs import Effect, LowSampleJob, SampleJob, enqueue_job, job_row
from tests.support.working import eventually, until
from worker.health import MAX_POP_AGE_S

BURST = ("-m", "arq", "--burst", "tests.support.sample_worker.WorkerSettings")


async def enqueue_effects(database: Database, count: int, seconds: float = 0) -> None:
    async with database.transaction() as tx:
        for _ in range(count):
            await jobs.enqueue(tx, Effect(seconds))


async def count_effects(database: Database) -> int:
    return int(await database.fetchval("select count(*) from effects"))


async def test_worker_runs_jobs_and_drains_on_sigterm(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        await enqueue_effects(effects, 5)
        await eventually(lambda: count_effects(effects), 5)
        await enqueue_effects(effects, 3, seconds=1)
        # Jobs that had not started would be left for another worker.
        await eventually(lambda: count_starts(effects), 8)
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    assert await count_effects(effects) == 8
    assert '"event": "worker.drained"' in worker.output


async def count_starts(database: Database) -> int:
    return int(await database.fetchval("select count(*) from starts"))


async def test_two_signals_at_once_count_as_one(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        job_id = await enqueue_job(effects, Effect(seconds=3))
        await eventually(lambda: count_starts(effects), 1)
        worker.send(signal.SIGTERM)
        await asyncio.sleep(0.01)
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    ended = await job_row(effects, job_id)
    assert ("done", 1, 0) == tuple(ended[name] for name in ("state", "attempt", "crashes"))


async def test_second_signal_interrupts_and_returns_the_running_jobs(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        job_id = await enqueue_job(effects, Effect(seconds=300))
        await eventually(lambda: count_starts(effects), 1)
        worker.send(signal.SIGTERM)
        await worker.wait_for_output("worker.drain_started")
        await asyncio.sleep(DUPLICATE_SIGNAL_S)
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    returned = await job_row(effects, job_id)
    assert ("queued", 0, 0) == tuple(returned[name] for name in ("state", "attempt", "crashes"))


async def test_worker_is_ready_while_all_its_slots_are_in_use(
    effects: Database, environ: Mapping[str, str]
) -> None:
    (port,) = free_ports(1)
    own = {**environ, "WORKER_SLOTS": "2", "METRICS_PORT": str(port)}
    async with program(*WORKER, environ=own) as worker, httpx.AsyncClient() as client:
        await worker.wait_for_output("worker.started")
        await enqueue_effects(effects, 3, seconds=300)
        await eventually(lambda: count_starts(effects), 2)
        await asyncio.sleep(MAX_POP_AGE_S + 1)
        ready = await client.get(f"http://127.0.0.1:{port}/health/ready")
        assert (ready.status_code, ready.text) == (200, "ready\n")


async def test_worker_runs_at_low_priority(database: Database, environ: Mapping[str, str]) -> None:
    async with program(*WORKER, environ=environ) as worker:
        await worker.wait_for_output("worker.started")
        nice = max(process_priority.WORKER_NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
        assert nice == os.getpriority(os.PRIO_PROCESS, worker.process.pid)


async def test_worker_starts_and_drains_without_redis_and_uses_redis_when_it_is_up(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with own_valkey() as valkey:
        own = {**environ, **valkey.settings()}
        async with program(*WORKER, environ=own) as worker:
            await worker.wait_for_output("worker.started")
            await enqueue_effects(effects, 5)
            await valkey.start()
            await eventually(lambda: count_effects(effects), 5)
            failures = worker.output.count("claim_loop.failed")
            await valkey.stop()
            await until(lambda: worker.output.count("claim_loop.failed") > failures)
            worker.send(signal.SIGTERM)
            assert await worker.ended() == 0


async def test_worker_checks_all_schedules_against_the_postgres_clock(
    database: Database, environ: Mapping[str, str]
) -> None:
    before = await database.fetchval("select clock_timestamp()")
    async with program("-m", "arq", "worker.WorkerSettings", environ=environ):
        checked = (
            "select count(*) from schedules where decided_until between $1 and clock_timestamp()"
        )
        await eventually(lambda: database.fetchval(checked, before), len(SCHEDULES))


async def test_worker_settings_have_a_cron_job_for_every_schedule(
    environ: Mapping[str, str],
) -> None:
    names = "from worker import WorkerSettings as W; print(*(job.name for job in W.cron_jobs))"
    async with program("-c", names, environ=environ) as process:
        assert await process.ended() == 0
    assert sorted(process.output.split()) == sorted(f"cron:{name}" for name in SCHEDULES)


async def test_every_log_line_is_json_and_none_comes_from_arq_or_uvicorn(
    resources: Resources, environ: Mapping[str, str]
) -> None:
    async with program(*WORKER, environ={**environ, "METRICS_PORT": str(*free_ports(1))}) as worker:
        await worker.wait_for_output("worker.started")
        worker.send(signal.SIGTERM)
        await worker.ended()
    lines = [json.loads(line) for line in worker.output.splitlines()]
    assert {"worker.started", "worker.drain_started", "worker.drained"} <= {
        line["event"] for line in lines
    }
    assert not any(line["logger"].startswith(("arq", "uvicorn")) for line in lines)
    assert "\\u001b" not in worker.output
    assert "color_message" not in worker.output


async def test_worker_with_a_taken_metrics_port_prints_one_line_exits_with_2_and_claims_no_jobs(
    database: Database, environ: Mapping[str, str]
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with program(*WORKER, environ={**environ, "METRICS_PORT": str(port)}) as worker:
            assert await worker.ended() == 2
    (line,) = worker.output.splitlines()
    assert line.startswith(f"activelog: METRICS_PORT is port {port}, which is in use: stop")
    assert (await job_row(database, job_id))["attempt"] == 0


async def test_burst_with_an_empty_redis_runs_all_due_jobs_outside_paused_queues_and_exits_with_0(
    effects: Database, resources: Resources, environ: Mapping[str, str]
) -> None:
    await enqueue_effects(effects, 30)
    async with effects.transaction() as tx:
        waiting = await jobs.enqueue(
            tx, SampleJob("later"), run_at=datetime(2999, 1, 1, tzinfo=UTC)
        )
    paused = await enqueue_job(effects, LowSampleJob("paused"))
    await effects.execute("insert into pauses (what, name) values ('queue', 'low')")
    await resources.dispatcher.flush()
    await resources.redis.flushdb()
    async with program(*BURST, environ=environ) as worker:
        assert await worker.ended() == 0, worker.output
    assert await count_effects(effects) == 30
    unfinished = await effects.fetch("select id from jobs where state = 'queued'")
    assert {waiting, paused} == {job["id"] for job in unfinished}
    assert 0 == await effects.fetchval("select count(*) from workers")


async def test_worker_with_the_watch_option_prints_one_line_and_exits_with_2(
    environ: Mapping[str, str],
) -> None:
    async with program(*WORKER, "--watch", "app", environ=environ) as worker:
        assert await worker.ended() == 2
    (line,) = worker.output.splitlines()
    assert line.startswith("activelog: --watch is not supported")


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
async def test_worker_with_an_invalid_setting_prints_one_line_that_names_it_and_exits_with_2(
    environ: Mapping[str, str], variable: str, value: str
) -> None:
    invalid = {**environ, variable: value}
    async with program(*WORKER, environ=invalid) as worker:
        assert await worker.ended() == 2
    assert worker.output.startswith(f"activelog: {variable} ")
    assert len(worker.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "minimum", "server"),
    [
        ("app.redis", "MIN_VERSION = (99, 0)", "Redis"),
        ("app.postgres.pool", "MIN_MAJOR_VERSION = 99", "Postgres"),
    ],
)
async def test_worker_with_a_server_that_is_too_old_prints_one_line_that_names_it_and_exits_with_1(
    environ: Mapping[str, str], module: str, minimum: str, server: str
) -> None:
    worker_settings = "tests.support.sample_worker.WorkerSettings"
    run = f"import {module} as m; m.{minimum}; from arq.cli import cli; cli([{worker_settings!r}])"
    async with program("-c", run, environ=environ) as worker:
        assert await worker.ended() == 1
    (line,) = worker.output.splitlines()
    assert line.startswith(f"activelog: {server} ")
    assert "is too old" in line


async def test_killing_a_worker_loses_no_jobs(
    effects: Database, environ: Mapping[str, str], resources: Resources
) -> None:
    async with program(*WORKER, environ=environ) as worker:
        async with effects.transaction() as tx:
            await jobs.enqueue_all(tx, [Effect(seconds_at_first=60)] * 3)
        await eventually(lambda: count_starts(effects), 3)
        await worker.kill()
        assert 0 == await count_effects(effects)
        async with program(*WORKER, environ=environ):
            await eventually(lambda: count_effects(effects), 3)
