"""Procrastinate: durable, and all in Postgres, in its own database on the same server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
from procrastinate import App, PsycopgConnector
from procrastinate.types import JSONDict

from tests.bench.contenders.contender import Work
from tests.bench.environment import Environment
from tests.bench.stamps import work

DATABASE = "procrastinate"
CONNECTIONS = 10
"""The size of the connection pool, the same as ours."""
BATCH = 1000


def procrastinate_app(environ: Mapping[str, str]) -> App:
    """Return the app, with `noop` as its only task."""
    url = urlsplit(environ["DATABASE_URL"])._replace(path=f"/{DATABASE}").geturl()
    app = App(connector=PsycopgConnector(conninfo=url, max_size=CONNECTIONS))

    @app.task(name="noop")
    async def noop(number: int, seconds: float) -> None:
        await work(number, seconds)

    return app


class Procrastinate:
    name = "procrastinate"
    program = ("-m", "tests.bench.contenders.procrastinate_worker")

    def __init__(self, app: App, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._noop = app.tasks["noop"]
        self._connection = connection

    def environ(self, slots: int) -> Mapping[str, str]:
        return {"BENCH_SLOTS": str(slots)}

    async def clear(self) -> None:
        await self._connection.execute(
            "truncate procrastinate_jobs, procrastinate_events, procrastinate_workers cascade"
        )
        await self._connection.execute("checkpoint")

    async def enqueue(self, works: Sequence[Work]) -> None:
        for start in range(0, len(works), BATCH):
            arguments: list[JSONDict] = [
                {"number": work.number, "seconds": work.seconds}
                for work in works[start : start + BATCH]
            ]
            await self._noop.batch_defer_async(*arguments)

    async def enqueue_one(self, work: Work) -> None:
        await self._noop.defer_async(number=work.number, seconds=work.seconds)

    async def unfinished(self) -> int:
        return int(
            await self._connection.fetchval(
                "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"
            )
        )


@asynccontextmanager
async def open_procrastinate(environment: Environment) -> AsyncIterator[Procrastinate]:
    owner = await asyncpg.connect(environment.environ["DATABASE_URL"])
    await owner.execute(f"create database {DATABASE}")
    await owner.close()
    app = procrastinate_app(environment.environ)
    url = urlsplit(environment.environ["DATABASE_URL"])._replace(path=f"/{DATABASE}").geturl()
    connection = await asyncpg.connect(url)
    try:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            yield Procrastinate(app, connection)
    finally:
        await connection.close()
