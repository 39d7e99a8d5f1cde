"""`uvicorn tests.bench.contenders.csv_cursor:app`: a typical CSV download.

It uses a server-side cursor (asyncpg, fetching 2,000 rows at a time), Python's csv module and
Litestar's `Stream`.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import AsyncIterator

import asyncpg
from litestar import Litestar, get
from litestar.response import Stream

QUERY = """
select started_at, type, duration_s, distance_m, calories, notes from activities
where user_id = $1 and deleted_at is null
order by started_at, id
"""
PREFETCH = 2000
PIECE = 64 * 1024
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


async def lines(user_id: str) -> AsyncIterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("Date", "Type", "Duration (min)", "Distance (km)", "Calories", "Notes"))
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            async for row in connection.cursor(QUERY, user_id, prefetch=PREFETCH):
                started_at, kind, duration, distance, calories, notes = row
                writer.writerow(
                    (
                        started_at.date().isoformat(),
                        kind,
                        (duration + 30) // 60,
                        None if distance is None else round(distance / 1000, 4),
                        calories,
                        "'" + notes if notes and notes.startswith(FORMULAS) else notes,
                    )
                )
                if buffer.tell() >= PIECE:
                    yield buffer.getvalue().encode()
                    buffer.seek(0)
                    buffer.truncate()
        yield buffer.getvalue().encode()
    finally:
        await connection.close()


@get("/{user_id:str}", media_type="text/csv")
async def download(user_id: str) -> Stream:
    return Stream(lines(user_id), media_type="text/csv")


app = Litestar([download], openapi_config=None, logging_config=None)
