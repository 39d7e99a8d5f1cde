"""Snapshots whose reader is cancelled, or whose connection is lost."""

from __future__ import annotations

import asyncio
import time

import pytest

from app.errors import Unavailable
from app.postgres.database import Database
from app.postgres.statements import Query
from app.resources import Resources
from tests.support.outages import terminate_backends

SLOW_COPY = Query("select repeat('x', 10000), pg_sleep(0.005) from generate_series(1, 400)", ())


@pytest.mark.parametrize("turns", range(6))
async def test_reader_can_be_cancelled_at_any_moment_during_a_copy(
    resources: Resources, turns: int
) -> None:
    """Cancel before, at and after the moment at which asyncpg has received the next rows.

    At one of these moments, the rows have arrived, but the reader does not have them yet.
    """
    started = asyncio.Event()

    async def begin(_: bytes) -> None:
        started.set()

    async def read() -> None:
        async with resources.snapshots.open() as snapshot:
            await snapshot.csv(SLOW_COPY, begin)

    for _ in range(10):
        started.clear()
        reader = asyncio.create_task(read())
        await started.wait()
        time.sleep(0.02)  # noqa: ASYNC251 # rows arrive while the loop is blocked
        for _ in range(turns):
            await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        async with resources.snapshots.open() as snapshot:
            assert 1 == await snapshot.fetchval("select 1")


async def test_lost_connection_is_reported_as_an_outage(
    resources: Resources, database: Database
) -> None:
    async def read() -> None:
        async with resources.snapshots.open() as snapshot:
            name = await snapshot.fetchval("select current_setting('application_name')")
            assert 1 <= await terminate_backends(database, name)
            await snapshot.fetchval("select 1")

    with pytest.raises(Unavailable):
        await read()
    async with resources.snapshots.open() as snapshot:
        assert 1 == await snapshot.fetchval("select 1")
