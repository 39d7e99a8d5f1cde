"""Postgres ends the statement of a client that is gone."""

from __future__ import annotations

import asyncio
from time import monotonic

import asyncpg
import pytest

from app.postgres.database import Database
from app.postgres.pool import open_pool
from tests.support.working import eventually

NAME = "activelog-tests-lost"
PRESENT = "select count(*) from pg_stat_activity where application_name = $1"
SLEEPING = f"{PRESENT} and wait_event = 'PgSleep'"


async def test_statement_of_a_lost_client_ends_within_seconds(
    database: Database, database_url: str
) -> None:
    async with await open_pool(database_url, size=1, application_name=NAME) as pool:
        connection = await pool.acquire()
        statement = asyncio.create_task(connection.execute("select pg_sleep(20)"))
        await eventually(lambda: database.fetchval(SLEEPING, NAME), 1)
        lost_at = monotonic()
        connection.terminate()  # aborts the transport, as the death of the process does
        await eventually(lambda: database.fetchval(PRESENT, NAME), 0)
        assert monotonic() - lost_at < 10
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await statement
        await pool.release(connection)
