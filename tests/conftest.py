"""Real servers for all tests: Postgres, Valkey and S3 per run, an SMTP inbox per test worker."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from app.api.application import create_app
from app.embedded.inbox import Inbox, smtp_protocol
from app.errors import Unavailable
from app.jobs import load_handlers
from app.pages import failure_page, pages_router
from app.postgres.database import Database
from app.postgres.pool import open_pool
from app.resources import Resources, open_resources
from app.s3 import Bucket, open_bucket
from app.settings import Settings
from tests.support.owner import owner_url
from tests.support.raw_s3 import LONG_TIMEOUTS
from tests.support.sample_jobs import reset_sample_jobs
from tests.support.servers import RunServers
from tests.support.wall_clock import WallClock
from tests.support.working import RunJobs
from tests.support.working import run_jobs as run_jobs_of

MENTIONS_A_DATE = re.compile(
    r"\b20\d\d-\d\d\b|\bdate(time)?\(\d{4}|datetime\.now\(|clock\(|now\(\) [-+]|current_date"
    r"|recently\(|fixed_at|NOVEMBER"
)

load_handlers()

SERVERS = pytest.StashKey[RunServers]()
VARIABLES = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL", "S3_REGION")
OWNER_VARIABLE = "MIGRATIONS_DATABASE_URL"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def pytest_xdist_auto_num_workers() -> int:
    """Use two test workers per core: many tests wait for a lease, a heartbeat or a timeout."""
    return 2 * (os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    config.stash[SERVERS] = running = RunServers()
    variables = running.start()
    names = (*VARIABLES, *KEYS, OWNER_VARIABLE)
    os.environ.update({f"TEST_{name}": variables[name] for name in names})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `dated` every test whose file or conftest.py mentions a date or reads the clock."""
    dated = {path: _mentions_a_date(path) for path in {item.path for item in items}}
    for item in items:
        if dated[item.path]:
            item.add_marker(pytest.mark.dated)


def _mentions_a_date(file: Path) -> bool:
    files = (file, file.with_name("conftest.py"))
    return any(MENTIONS_A_DATE.search(path.read_text()) for path in files if path.exists())


def pytest_unconfigure(config: pytest.Config) -> None:
    if (running := config.stash.get(SERVERS, None)) is not None:
        running.stop()


@pytest.fixture(scope="session")
def worker_index(worker_id: str) -> int:
    """Return the number of this test worker. Each test worker has its own databases and bucket."""
    return 0 if worker_id == "master" else int(worker_id.removeprefix("gw")) + 1


@pytest.fixture(scope="session")
async def database_url(worker_index: int) -> str:
    """Copy the migrated database for this test worker, and return the application's URL of it."""
    parts = urlsplit(os.environ["TEST_DATABASE_URL"])
    name = f"worker_{worker_index}"
    admin = await asyncpg.connect(owner_url("postgresql:///postgres"))
    try:
        await admin.execute(f'create database "{name}" template "{parts.path[1:]}"')
        # A copy has all grants but those on the database itself.
        await admin.execute(f'revoke temporary on database "{name}" from public')
    finally:
        await admin.close()
    return parts._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="session")
async def owner(database_url: str) -> AsyncIterator[Database]:
    """Return the database as the role that owns the tables, which the application never uses."""
    url = owner_url(database_url)
    async with await open_pool(url, size=1, application_name="activelog-tests-owner") as pool:
        yield Database(pool, lambda _: None)


@pytest.fixture(scope="session")
async def smtp_inbox() -> AsyncIterator[tuple[Inbox, int]]:
    """Run an SMTP inbox for this test worker, and return the inbox and its port."""
    folder = Path(tempfile.mkdtemp(prefix="activelog-inbox-"))
    inbox = Inbox(folder)
    loop = asyncio.get_running_loop()
    receiving = await loop.create_server(lambda: smtp_protocol(inbox), "127.0.0.1", 0)
    try:
        yield inbox, receiving.sockets[0].getsockname()[1]
    finally:
        receiving.close()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def environ(database_url: str, smtp_inbox: tuple[Inbox, int], worker_index: int) -> dict[str, str]:
    """Return the environment variables for the service under test."""
    given = {name: os.environ[f"TEST_{name}"] for name in VARIABLES + KEYS}
    redis = urlsplit(given["REDIS_URL"])._replace(path=f"/{worker_index}").geturl()
    return {
        **given,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis,
        "S3_BUCKET": f"worker-{worker_index}",
        "SMTP_URL": f"smtp://127.0.0.1:{smtp_inbox[1]}",
        "MAIL_FROM": "ActiveLog <hello@activelog.example>",
        "APP_URL": "https://activelog.example",
        "SECRET_KEY": "a long enough secret for the tests",
        "ENVIRONMENT": "test",
        "SHUTDOWN_GRACE": "60",
        "API_METRICS_PORT": "0",
        "METRICS_PORT": "0",
        "LOG_FORMAT": "json",
    }


@pytest.fixture(scope="session")
def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_env(environ)


@pytest.fixture(scope="session")
async def opened(settings: Settings) -> AsyncIterator[Resources]:
    async with (
        open_resources(settings, process="activelog-tests") as resources,
        open_bucket(settings.bucket, timeouts=LONG_TIMEOUTS) as bucket,
    ):
        await bucket.create_if_missing()
        yield replace(resources, bucket=bucket)


@pytest.fixture
async def resources(opened: Resources, owner: Database) -> Resources:
    """Return this test worker's resources, with empty tables and an empty Redis."""
    await opened.dispatcher.flush()  # dispatches left over from the previous test
    try:
        await owner.execute(EMPTY_TABLES)
    except Unavailable as locked:  # report who holds the lock
        others = await owner.fetch(OTHER_TRANSACTIONS)
        raise AssertionError([dict(row) for row in others]) from locked
    await opened.redis.flushdb()
    return opened


OTHER_TRANSACTIONS = """
select pid, application_name, state, wait_event, xact_start, left(query, 300) as query
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
"""


EMPTY_TABLES = """
do $$
declare
    filled text[] := '{}';
    name text;
    has_rows boolean;
begin
    for name in select quote_ident(tablename) from pg_tables
        where schemaname = 'public'
            and tablename not in ('schema_migrations', 'installation', 'relay', 'heartbeats')
    loop
        execute 'select exists (select from ' || name || ')' into has_rows;
        if has_rows then filled := filled || name; end if;
    end loop;
    if filled <> '{}' then
        execute 'truncate ' || array_to_string(filled, ', ') || ' cascade';
    end if;
    update relay set held_until = 'epoch', mark = 'epoch', compare_requested_at = 'epoch'
    where greatest(held_until, mark, compare_requested_at) > 'epoch';
    update heartbeats set last_at = 'epoch', gap_ended_at = 'epoch' where last_at > 'epoch';
end $$
"""
"""Truncates the tables with rows and those that refer to them: truncating all takes too long."""


@pytest.fixture
def database(resources: Resources) -> Database:
    return resources.database


@pytest.fixture
def bucket(resources: Resources) -> Bucket:
    return resources.bucket


@pytest.fixture
def inbox(smtp_inbox: tuple[Inbox, int]) -> Inbox:
    smtp_inbox[0].clear()
    return smtp_inbox[0]


@pytest.fixture(autouse=True)
def _reset_sample_jobs() -> Iterator[None]:
    yield
    reset_sample_jobs()


@pytest.fixture
def run_jobs(resources: Resources) -> RunJobs:
    """Return `run_jobs` with this test worker's resources."""
    return partial(run_jobs_of, resources)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that refuses connections and that no other process can bind."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="session")
def application_clock() -> WallClock:
    return WallClock()


@pytest.fixture
def wall_clock(application_clock: WallClock) -> Iterator[WallClock]:
    """Return the clock for the API and the pages. After the test it shows the real time."""
    yield application_clock
    application_clock.fixed_at = None


@pytest.fixture(scope="session")
async def application(opened: Resources, application_clock: WallClock) -> AsyncIterator[Any]:
    """Run the API and the pages as one ASGI application with this test worker's resources."""

    @asynccontextmanager
    async def existing_resources() -> AsyncIterator[Resources]:
        yield opened

    app = create_app(
        existing_resources,
        pages=[pages_router],
        not_found_page=failure_page,
        clock=application_clock,
    )
    async with lifespan_of(app):
        yield app


@pytest.fixture
async def api(application: Any, resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API and the pages. It sends no token, and the tables are empty."""
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@asynccontextmanager
async def lifespan_of(app: Any) -> AsyncIterator[None]:
    """Run the lifespan in its own task: fixtures are set up and torn down in different tasks."""
    started, stopping = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with app.lifespan():
            started.set()
            await stopping.wait()

    running = asyncio.create_task(run())
    await asyncio.wait(
        [running, asyncio.create_task(started.wait())], return_when="FIRST_COMPLETED"
    )
    try:
        yield
    finally:
        stopping.set()
        await running
