"""Tasks that wait for a connection get one in the order in which they asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.errors import Unavailable
from app.postgres.database import Database
from app.postgres.pool import open_pool


@pytest.fixture
async def narrow(database_url: str) -> AsyncIterator[Database]:
    """A database with a single connection."""
    async with await open_pool(database_url, size=1, application_name="activelog-tests") as pool:
        yield Database(pool, lambda _: None)


async def test_newcomer_does_not_overtake_those_who_wait(narrow: Database) -> None:
    served: list[str] = []

    async def ask(name: str) -> None:
        async with narrow.transaction():
            served.append(name)

    async def ask_once_a_connection_is_free() -> None:
        while not narrow.pool.get_idle_size():  # noqa: ASYNC110 # as early as possible
            await asyncio.sleep(0)
        await ask("newcomer")

    async with narrow.transaction():
        waiting = [asyncio.create_task(ask(name)) for name in ("first", "second", "third")]
        await asyncio.sleep(0.01)
        assert 3 == narrow.waiting
        waiting.append(asyncio.create_task(ask_once_a_connection_is_free()))
    await asyncio.gather(*waiting)
    assert ["first", "second", "third", "newcomer"] == served


async def test_one_who_leaves_the_line_takes_no_turn(narrow: Database) -> None:
    async with narrow.transaction():
        impatient, patient = (asyncio.create_task(narrow.fetchval("select 1")) for _ in range(2))
        await asyncio.sleep(0.01)
        impatient.cancel()
    assert 1 == await patient
    assert 0 == narrow.waiting


async def test_connection_that_does_not_become_free_is_unavailable(narrow: Database) -> None:
    hasty = Database(narrow.pool, lambda _: None, acquire_timeout_s=0.01)
    async with narrow.transaction():
        with pytest.raises(Unavailable):
            await hasty.fetchval("select 1")
    assert 1 == await hasty.fetchval("select 1")
