"""A cancelled statement releases its locks, no matter when it is cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from uuid import uuid4

import asyncpg
import pytest

from app.postgres.database import Database

LOCKS = """
select count(*) from pg_locks
where relation = 'friends'::regclass and pid <> pg_backend_pid()
    and database = (select oid from pg_database where datname = current_database())
"""


@pytest.mark.parametrize("before", range(1, 6))
@pytest.mark.parametrize("after", range(5))
async def test_cancelled_statement_leaves_no_lock(
    before: int, after: int, database: Database, database_url: str
) -> None:
    """Cancel at various moments during the two round trips of a statement.

    asyncpg prepares a statement in one round trip and executes it in another. At one of these
    moments the server has prepared the statement, but the task has not yet received the reply.
    """
    other = await asyncpg.connect(database_url)
    try:
        await database.fetchval("select 1")  # opens a connection
        new = f'select count(*) as "{uuid4()}" from friends'  # noqa: S608 # only a new id is inserted
        task = asyncio.create_task(database.fetch(new))
        for _ in range(before):
            await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 # the server answers while the loop is blocked
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert 0 == await other.fetchval(LOCKS)
    finally:
        await other.close()


async def test_cancelled_statement_raises_cancelled_error_even_if_its_connection_is_lost(
    database: Database,
) -> None:
    pid = await database.fetchval("select pg_backend_pid()")
    task = asyncio.create_task(database.fetch("select pg_sleep(60)"))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.2)  # noqa: ASYNC251 # the backend ends while the loop is blocked
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 1 == await database.fetchval("select 1")
