"""The time that exports take: by ActiveLog, by psql, and by a plain boto3 upload."""

from __future__ import annotations

import asyncio
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import aioboto3
from boto3.s3.transfer import TransferConfig  # type: ignore[import-untyped] # has no stubs

from app.embedded.wheels import postgres_folder
from app.exports import requests, statements
from app.exports.export import Export, Filters, Format
from app.resources import Resources
from app.s3.upload import MAX_PARTS_IN_FLIGHT, PART_BYTES
from app.users.user import UserId
from tests.support.exports import add_activities
from tests.support.people import Person, person

READ_BYTES = 1 << 20
POLL_INTERVAL_S = 1.0
UNFINISHED = {"pending", "processing"}


async def add_user_with_activities(resources: Resources, name: str, rows: int) -> Person:
    """Create a user with `rows` activities."""
    who = await person(resources.database, name)
    await add_activities(resources.database, who.id, rows)
    await resources.database.execute("analyze activities")
    return who


async def download(url: str, headers: dict[str, str], rows: int) -> float:
    """Download a file and discard it; return the seconds from the request to the last byte.

    Raises:
        AssertionError: the file does not have `rows` rows.
    """
    return await asyncio.to_thread(_download, url, headers, rows)


def _download(url: str, headers: dict[str, str], rows: int) -> float:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port, timeout=600)
    began, lines = perf_counter(), 0
    connection.request("GET", parts.path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200
    while piece := answer.read(READ_BYTES):
        lines += piece.count(b"\n")
    seconds = perf_counter() - began
    connection.close()
    assert lines == rows + 1, f"{lines} lines"
    return seconds


async def psql_copy(database_url: str, user_id: UserId, target: str) -> float:
    """Run `psql \\copy` with the same query, and return the seconds that it takes."""
    query = statements.activities_csv(user_id=user_id, first=None, last=None, type=None)
    sql = query.sql.replace("$1", f"'{user_id}'")
    for parameter in ("$2", "$3", "$4"):
        sql = sql.replace(parameter, "null")
    command = f"\\copy ({' '.join(sql.split())}) to '{target}' with (format csv, header)"
    began = perf_counter()
    process = await asyncio.create_subprocess_exec(
        postgres_folder() / "bin" / "psql", database_url, "-qXc", command
    )
    assert await process.wait() == 0
    return perf_counter() - began


async def upload_file(resources: Resources, file: Path) -> float:
    """Upload a file with boto3, in parts as large as ours, and return the seconds that it takes."""
    section = resources.settings.bucket
    session = aioboto3.Session(
        section.access_key_id, section.secret_access_key, region_name=section.region
    )
    config = TransferConfig(
        multipart_chunksize=PART_BYTES,
        multipart_threshold=PART_BYTES,
        max_concurrency=MAX_PARTS_IN_FLIGHT,
        max_io_queue=MAX_PARTS_IN_FLIGHT,
    )
    async with session.client("s3", endpoint_url=section.endpoint_url) as client:
        began = perf_counter()
        await client.upload_file(str(file), section.name, "bench/file.csv", Config=config)
        return perf_counter() - began


async def export(resources: Resources, who: Person, format: Format, *, within: float) -> float:
    """Run an export, delete its file, and return the seconds from its job's start to its end.

    Raises:
        AssertionError: the export failed.
        TimeoutError: the export took longer than `within`.
    """
    async with resources.database.transaction() as tx:
        asked = await requests.request(tx, who.id, format, Filters())
    async with asyncio.timeout(within):
        while (made := await _current(resources, who, asked)).status in UNFINISHED:  # noqa: ASYNC110 # no event to wait for
            await asyncio.sleep(POLL_INTERVAL_S)
    assert made.status == "completed", made.error
    row = await resources.database.fetchrow(
        "select finished_at - started_at as took from jobs where id = $1", made.job_id
    )
    assert row is not None
    async with resources.database.transaction() as tx:
        key = await requests.delete(tx, who.id, made.id)
    await resources.bucket.delete([key])
    return float(row["took"].total_seconds())


async def _current(resources: Resources, who: Person, asked: Export) -> Export:
    return await requests.find(resources.database, who.id, asked.id)
