"""The PgBouncer settings in docs/scaling.md."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.api.application import create_app
from app.embedded.home import ROOT
from app.embedded.ports import LOOPBACK, free_ports
from app.jobs import statements
from app.postgres.database import Database
from app.resources import ENGINE_CONNECTIONS, Resources, open_resources
from app.settings import Settings
from tests.conftest import lifespan_of
from tests.support.working import WAIT_LIMIT_S
from tests.users.people import sign_up

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
READERS = 10

TRACKED = {"application_name", "datestyle", "timezone"}
"""Startup parameters that PgBouncer tracks for each client by default."""
SET_BY_CLIENT = """
select name from pg_settings
where source = 'client' and name not in ('client_encoding', 'extra_float_digits')
"""


async def test_documentation_lists_our_startup_parameters_that_pgbouncer_does_not_track(
    database: Database,
) -> None:
    scaling = (ROOT / "docs" / "scaling.md").read_text()
    ignored = re.search(r"ignore_startup_parameters = (.*)", scaling)
    assert ignored is not None
    rows = await database.fetch(SET_BY_CLIENT)
    parameters = {row["name"].lower() for row in rows} - TRACKED
    assert "max_parallel_workers_per_gather" in parameters
    assert parameters == set(ignored[1].split(","))
    assert parameters == set(re.findall(r"alter role activelog_app set (\w+)", scaling))


def documented_settings() -> str:
    """Return the settings in docs/scaling.md as an ini file."""
    scaling = (ROOT / "docs" / "scaling.md").read_text()
    found = re.search(r"^    \[databases\]\n(?:    .*\n|\n)+", scaling, re.MULTILINE)
    assert found is not None
    return re.sub(r"^    ", "", found[0], flags=re.MULTILINE)


@pytest.fixture
async def pgbouncer(database_url: str, tmp_path: Path) -> AsyncIterator[int]:
    """Run PgBouncer with the documented settings, but for only two readers. Return its port."""
    assert PGBOUNCER is not None
    server = urlsplit(database_url)
    (port,) = free_ports(1)
    databases = re.sub(
        r"host=\S+ port=\d+ dbname=\w+",
        f"host={server.hostname} port={server.port} dbname={server.path[1:]}"
        f" user={server.username} password={server.password}",
        documented_settings(),
    )
    assert "activelog_exports" in databases
    config = tmp_path / "pgbouncer.ini"
    config.write_text(
        re.sub(r"(activelog_exports .*pool_size)=\d+", r"\1=2", databases)
        + f"listen_addr = {LOOPBACK}\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\n"
    )
    as_nobody = ("-u", "nobody") if os.geteuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(PGBOUNCER, "-q", *as_nobody, str(config))
    try:
        async with asyncio.timeout(WAIT_LIMIT_S):
            while True:
                try:
                    connection = await asyncpg.connect(url_of(port, "activelog"))
                except OSError:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
                else:
                    await connection.close()
                    break
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def url_of(port: int, entry: str) -> str:
    return f"postgresql://activelog@{LOOPBACK}:{port}/{entry}"


@asynccontextmanager
async def slow_readers(resources: Resources, count: int) -> AsyncIterator[None]:
    """Hold as many snapshots as PgBouncer allows, and let the others wait for one."""
    done, open_now = asyncio.Event(), asyncio.Semaphore(0)

    async def read() -> None:
        async with resources.snapshots.open() as snapshot:
            await snapshot.fetchval("select 1")
            open_now.release()
            await done.wait()

    readers = [asyncio.create_task(read()) for _ in range(count)]
    try:
        for _ in range(2):
            await open_now.acquire()
        yield
        assert not any(reader.done() for reader in readers)
    finally:
        done.set()
        await asyncio.gather(*readers)


@pytest.mark.skipif(
    PGBOUNCER is None and "CI" not in os.environ, reason="pgbouncer is not installed"
)
async def test_ten_slow_readers_delay_no_heartbeat_and_no_sign_up(
    settings: Settings, resources: Resources, pgbouncer: int
) -> None:
    """The readers stay until the heartbeat and the sign-up have succeeded."""
    own = replace(
        settings.database,
        url=url_of(pgbouncer, "activelog"),
        engine_url=url_of(pgbouncer, "activelog_engine"),
        export_url=url_of(pgbouncer, "activelog_exports"),
        export_pool_size=READERS,
    )
    async with AsyncExitStack() as stack:
        pooled = await stack.enter_async_context(
            open_resources(replace(settings, database=own), process="activelog-tests")
        )
        app = create_app(lambda: _existing(pooled))
        await stack.enter_async_context(lifespan_of(app))
        transport = httpx.ASGITransport(app=app)
        api = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://test")
        )
        async with slow_readers(pooled, READERS):
            await statements.heartbeat(
                pooled.engine_database, id=uuid4(), host="test", pid=1, slots=1
            )
            await sign_up(api)
    assert 1 == await resources.database.fetchval("select count(*) from workers")
    assert 1 == await resources.database.fetchval("select count(*) from users")


@asynccontextmanager
async def _existing(resources: Resources) -> AsyncIterator[Resources]:
    yield resources


def test_documentation_counts_the_connections_of_a_worker(settings: Settings) -> None:
    database = settings.database
    api = database.pool_size + database.export_pool_size
    scaling = (ROOT / "docs" / "scaling.md").read_text()
    assert f"{api} per API process and {api + ENGINE_CONNECTIONS} per worker" in scaling
