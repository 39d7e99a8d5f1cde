"""PDF exports, from the request to the bytes in the bucket."""

from __future__ import annotations

import httpx
import pytest

from app.postgres.database import Database
from app.s3 import Bucket
from tests.pdf.reading import words
from tests.support.exports import export_status, request_export
from tests.support.http import anonymous_client
from tests.support.people import Person, person
from tests.support.working import RunJobs

NOTE = 'She said "go" & <ran>, =1+1 🏃'


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def add_run(database: Database, who: Person, day: str, notes: str, deleted: str = "") -> None:
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s, distance_m, notes,"
        " deleted_at) values ($1, 'run', $2::text::timestamptz, 2700, 8400, $3,"
        " nullif($4, '')::timestamptz)",
        who.id,
        f"{day}T07:30:00Z",
        notes,
        deleted,
    )


async def test_pdf_contains_only_the_rows_that_match_the_filters(
    api: httpx.AsyncClient, database: Database, bucket: Bucket, run_jobs: RunJobs, kim: Person
) -> None:
    await add_run(database, kim, "2026-11-20", "the day before")
    await add_run(database, kim, "2026-11-21", NOTE)
    await add_run(database, kim, "2026-11-22", "the last day")
    await add_run(database, kim, "2026-11-22", "gone", deleted="2026-11-23")
    await add_run(database, await person(database, "sam"), "2026-11-21", "somebody else's")

    export = await request_export(api, kim, "pdf", **{"from": "2026-11-21", "to": "2026-11-22"})
    await run_jobs()

    made = await export_status(api, kim, export["id"])
    assert (made["status"], made["row_count"]) == ("completed", 2)
    url = f"/api/v1/export/{export['id']}/download"
    redirect = await api.get(url, headers=kim.headers)
    async with anonymous_client() as client:
        file = await client.get(redirect.headers["location"])
    assert file.headers["content-type"] == "application/pdf"
    assert file.headers["content-disposition"] == 'attachment; filename="activities.pdf"'
    text = words(file.content)
    assert "She said" in text
    assert "the last day" in text
    for other in ("the day before", "gone", "somebody else's"):
        assert other not in text


async def test_pdf_export_without_rows_is_completed(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person
) -> None:
    export = await request_export(api, kim, "pdf")

    await run_jobs()

    made = await export_status(api, kim, export["id"])
    assert (made["status"], made["row_count"]) == ("completed", 0)
