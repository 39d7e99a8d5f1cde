"""Errors of Postgres are classified by SQLSTATE, and by whether Postgres answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.errors import StatementCancelled, Unavailable
from app.postgres.database import Database
from app.postgres.failures import failure_of
from app.postgres.pool import open_pool
from tests.support.locks import wait_for_blocked_transaction

RAISE = "do $$ begin raise exception using errcode = '{}'; end $$"

OUTAGES = ["08006", "53100", "53200", "53300", "57000", "57P03", "57P05", "58030", "25006"]
CONFLICTS = ["40001", "40P01", "55P03"]
BUGS = ["25P02", "25P03", "25P04", "22012", "23505", "42P01", "55000", "XX000"]


@pytest.mark.parametrize("sqlstate", OUTAGES + CONFLICTS)
async def test_outages_and_conflicts_are_unavailable(database: Database, sqlstate: str) -> None:
    with pytest.raises(Unavailable) as raised:
        await database.execute(RAISE.format(sqlstate))
    assert "postgres" == raised.value.dependency


async def test_cancelled_statement_is_no_outage(database: Database) -> None:
    with pytest.raises(StatementCancelled):
        await database.execute(RAISE.format("57014"))


@pytest.mark.parametrize("sqlstate", BUGS)
async def test_other_errors_are_raised_as_they_are(database: Database, sqlstate: str) -> None:
    with pytest.raises(asyncpg.PostgresError) as raised:
        await database.execute(RAISE.format(sqlstate))
    assert sqlstate == raised.value.sqlstate


async def test_value_that_asyncpg_refuses_is_a_bug(database: Database) -> None:
    with pytest.raises(asyncpg.DataError, match="invalid input"):
        await database.fetchval("select $1::int", "one")


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionRefusedError(), OSError()])
def test_no_answer_is_an_outage(error: Exception) -> None:
    assert isinstance(failure_of(error), Unavailable)


def test_other_exceptions_are_not_classified() -> None:
    assert failure_of(KeyError("a")) is None


@pytest.fixture
async def hasty(database_url: str) -> AsyncIterator[Database]:
    """Return a database whose statements may take one second."""
    async with await open_pool(
        database_url, size=2, application_name="activelog-tests", statement_timeout_s=1
    ) as pool:
        yield Database(pool, lambda _: None)


async def test_postgres_ends_a_slow_statement_before_the_client_gives_up(hasty: Database) -> None:
    with pytest.raises(StatementCancelled):
        await hasty.execute("select pg_sleep(60)")
    async with hasty.transaction() as tx:
        with pytest.raises(StatementCancelled):
            async with hasty.transaction() as other:
                await other.fetchrow("select pg_sleep(60)")
        assert 1 == await tx.fetchval("select 1")


async def test_statement_with_a_timeout_of_its_own_may_take_longer(hasty: Database) -> None:
    assert await hasty.fetchrow("select pg_sleep(1.5)", timeout=20)
    async with hasty.transaction() as tx:
        assert await tx.fetchrow("select pg_sleep(1.5)", timeout=20)
    assert "1s" == await hasty.fetchval("show statement_timeout")


async def test_pg_cancel_backend_is_reported_as_a_cancelled_statement(
    database: Database, database_url: str
) -> None:
    other = await asyncpg.connect(database_url)
    try:
        await other.execute("select pg_advisory_lock(7)")
        waiting = asyncio.create_task(database.execute("select pg_advisory_lock(7)"))
        await wait_for_blocked_transaction(database)
        await other.execute(
            "select pg_cancel_backend(pid) from pg_locks where locktype = 'advisory'"
            " and not granted"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        with pytest.raises(StatementCancelled):
            await waiting
    finally:
        await other.close()
