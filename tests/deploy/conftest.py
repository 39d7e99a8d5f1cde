"""A real API and a real worker, with data for every metric."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import NamedTuple

import httpx
import pytest

from app.embedded.ports import free_ports
from app.jobs.schedules import SCHEDULES
from app.postgres.database import Database
from app.resources import Resources
from tests.conftest import EMPTY_TABLES
from tests.support.http import anonymous_client
from tests.support.processes import API, program
from tests.support.working import WAIT_LIMIT_S, eventually

WORKER = ("-m", "arq", "tests.deploy.worker.WorkerSettings")

BLOCKED = """
insert into jobs (kind, queue, payload, state, run_at, blocked_on)
values
    ('email:weekly_summary', 'default', '{}', 'snoozed', now() + interval '1 day', 'smtp'),
    ('export:generate', 'low', '{}', 'snoozed', now() + interval '1 day', 's3')
"""
DEAD = """
insert into jobs (kind, queue, payload, state, finished_at, error, fingerprint)
values ('report:generate', 'low', '{}', 'dead', now(), 'Dead: on purpose', 'f00d')
"""
PAUSED = "insert into pauses (what, name) values ('queue', 'low'), ('kind', 'email:weekly_summary')"
RUNS = """
insert into schedule_runs (schedule, tick, day, fired_by, job_id, state, started_at, finished_at)
select name, now(), current_date, 'test', uuidv7(), 'done', now(), now()
from unnest($1::text[]) as names (name)
"""


class RunningService(NamedTuple):
    """The environment of the two processes, and their base URLs."""

    environ: Mapping[str, str]
    api: str
    api_metrics: str
    worker: str

    async def sign_up(self, name: str) -> None:
        """Sign up a new user, who gets an email."""
        person = {"email": f"{name}@example.com", "name": name, "password": "correct horse battery"}
        async with httpx.AsyncClient(base_url=self.api, timeout=WAIT_LIMIT_S) as client:
            answer = await client.post("/api/v1/users", json=person)
            answer.raise_for_status()

    async def expositions(self) -> dict[str, str]:
        """Return the metrics of both processes, by Prometheus job."""
        async with anonymous_client() as client:
            return {
                "activelog-api": (await client.get(f"{self.api_metrics}/metrics")).text,
                "activelog-worker": (await client.get(f"{self.worker}/metrics")).text,
            }


@pytest.fixture(scope="package")
async def service(
    opened: Resources, owner: Database, environ: dict[str, str]
) -> AsyncIterator[RunningService]:
    """Run both processes on a database with a dead letter, blocked jobs, pauses and runs."""
    database = opened.database
    await owner.execute(EMPTY_TABLES)
    await opened.redis.flushdb()
    await database.execute(BLOCKED)
    await database.execute(DEAD)
    await database.execute(PAUSED)
    await database.execute(RUNS, list(SCHEDULES))
    port, api_metrics_port, metrics_port = map(str, free_ports(3))
    settings = {
        **environ,
        "PORT": port,
        "API_METRICS_PORT": api_metrics_port,
        "METRICS_PORT": metrics_port,
    }
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(program(*API, environ=settings))
        worker = await stack.enter_async_context(program(*WORKER, environ=settings))
        await worker.wait_for_output("worker.started")
        running = RunningService(
            settings,
            f"http://127.0.0.1:{port}",
            f"http://127.0.0.1:{api_metrics_port}",
            f"http://127.0.0.1:{metrics_port}",
        )
        await eventually(lambda: _ready(running.api), 200)
        assert api.is_running
        await running.sign_up("first")
        done = "select count(*) from jobs where kind = 'email:welcome' and state = 'done'"
        await eventually(lambda: database.fetchval(done), 1)
        yield running
    await owner.execute(EMPTY_TABLES)


async def _ready(api: str) -> int:
    async with anonymous_client() as client:
        try:
            return (await client.get(f"{api}/health/ready")).status_code
        except httpx.TransportError:
            return 0
