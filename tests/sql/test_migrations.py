"""Migrations can be applied, rolled back and applied again. Concurrent runs do not collide."""

from __future__ import annotations

import asyncio
from functools import partial

import asyncpg
import pytest

from app.errors import Unavailable
from app.postgres.failures import not_responding
from app.postgres.migrations import FOLDER, LockRetries, MigrationFailed, migrate
from tests.support.working import eventually

TABLES = """
select count(*) from information_schema.tables
where table_schema = 'public' and table_name <> 'schema_migrations'
"""


HAS_COLUMN = """
select exists (
    select from information_schema.columns where table_name = $1 and column_name = $2
)
"""


async def count_tables(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(TABLES))
    finally:
        await connection.close()


async def test_every_migration_can_be_rolled_back_and_applied_again(empty_database: str) -> None:
    await migrate(empty_database)
    applied = await count_tables(empty_database)
    for _ in FOLDER.glob("*.sql"):
        await migrate(empty_database, "down")
    assert await count_tables(empty_database) == 0
    await migrate(empty_database)
    assert await count_tables(empty_database) == applied


async def test_migrations_started_at_the_same_time_do_not_collide(empty_database: str) -> None:
    await asyncio.gather(*(migrate(empty_database) for _ in range(3)))
    assert await count_tables(empty_database) > 0


async def test_failed_connection_is_reported_with_its_reason(closed_port: int) -> None:
    with pytest.raises(Unavailable, match=r"^Postgres is not responding: .*Connect call failed"):
        await migrate(f"postgres://user:secret@127.0.0.1:{closed_port}/activelog")
    assert "Postgres is not responding: no answer in time" == not_responding(TimeoutError()).detail


async def test_migration_waits_for_a_locked_table_without_keeping_others_waiting(
    empty_database: str,
) -> None:
    retries = LockRetries(timeout_s=1, delay_s=1)
    await migrate(empty_database)
    writer = await asyncpg.connect(empty_database)
    other = await asyncpg.connect(empty_database)
    async with writer.transaction():
        await writer.execute("lock table jobs in row exclusive mode")
        migrating = asyncio.ensure_future(migrate(empty_database, "down", lock_retries=retries))
        await eventually(partial(other.fetchval, WAITS_FOR_A_TABLE), True)
        async with asyncio.timeout(2):  # the migration gives up after 1 s
            await other.execute("delete from jobs")
        await eventually(partial(other.fetchval, WAITS_FOR_A_TABLE), True)
    await migrating
    await other.close()
    await writer.close()


WAITS_FOR_A_TABLE = """
select exists (select from pg_locks where relation = 'jobs'::regclass and not granted)
"""


async def test_migration_says_what_to_do_if_a_table_stays_locked(
    empty_database: str,
) -> None:
    retries = LockRetries(timeout_s=1, attempts=2, delay_s=0)
    await migrate(empty_database)
    writer = await asyncpg.connect(empty_database)
    async with writer.transaction():
        await writer.execute("lock table jobs in row exclusive mode")
        with pytest.raises(MigrationFailed, match="keeps a table locked: find it in pg_stat_act"):
            await migrate(empty_database, "down", lock_retries=retries)
    await writer.close()


async def test_existing_accounts_have_seven_days_from_the_migration_to_confirm_their_address(
    empty_database: str,
) -> None:
    await migrate(empty_database)
    connection = await asyncpg.connect(empty_database)
    while await connection.fetchval(HAS_COLUMN, "users", "unconfirmed_since"):
        await migrate(empty_database, "down")
    await connection.execute(
        "insert into users (email, name, password_hash, created_at)"
        " values ('kim@example.com', 'Kim', 'no hash', now() - interval '1 year')"
    )
    before = await connection.fetchval("select now()")
    await migrate(empty_database)
    since = await connection.fetchval("select unconfirmed_since from users")
    await connection.close()
    assert since >= before
