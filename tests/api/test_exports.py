"""Exports over HTTP: request, status, download, deletion and history."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.postgres.database import Database
from app.resources import Resources
from app.s3 import Bucket
from tests.support.exports import CSV, EXPORT, add_activities, export_status, request_export
from tests.support.http import anonymous_client
from tests.support.people import Person, person
from tests.support.working import RunJobs


@pytest.fixture
async def kim(database: Database) -> Person:
    kim = await person(database, "kim")
    await add_activities(database, kim.id, 10)
    return kim


@pytest.fixture
async def sam(database: Database) -> Person:
    return await person(database, "sam")


async def complete_export(
    api: httpx.AsyncClient, run_jobs: RunJobs, user: Person, **filters: Any
) -> dict[str, Any]:
    export = await request_export(api, user, **filters)
    await run_jobs()
    export = await export_status(api, user, export["id"])
    assert export["status"] == "completed", export
    return export


async def download_status(api: httpx.AsyncClient, user: Person, export_id: str) -> int:
    """Return the status code of a download."""
    response = await api.get(f"{EXPORT}/{export_id}/download", headers=user.headers)
    return response.status_code


async def test_export_is_generated_and_downloaded(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person
) -> None:
    export = await complete_export(api, run_jobs, kim)

    redirect = await api.get(f"{EXPORT}/{export['id']}/download", headers=kim.headers)
    async with anonymous_client() as somebody_else:
        file = await somebody_else.get(redirect.headers["location"])

    assert redirect.status_code == 302
    assert file.content == (await api.get(CSV, headers=kim.headers)).content
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.headers["content-disposition"] == 'attachment; filename="activities.csv"'
    assert export["sha256"] == hashlib.sha256(file.content).hexdigest()
    assert export["size_bytes"] == len(file.content)
    assert export["row_count"] == 10
    assert export["download_url"] == f"/api/v1/export/{export['id']}/download"
    assert export["error"] is export["progress"] is None


async def test_export_shows_its_format_and_filters(api: httpx.AsyncClient, kim: Person) -> None:
    export = await request_export(
        api, kim, **{"from": "2020-01-01", "to": "2020-06-30", "type": "run"}
    )

    assert export["status"] == "pending"
    assert export["format"] == "csv"
    assert (export["from"], export["to"], export["type"]) == ("2020-01-01", "2020-06-30", "run")
    unknown = ("completed_at", "expires_at", "row_count", "size_bytes", "sha256", "download_url")
    assert {export[name] for name in unknown} == {None}


async def test_export_is_created_with_its_job(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await request_export(api, kim)

    row = await database.fetchrow("select * from jobs where id = $1", export["job_id"])
    assert row is not None
    assert (row["kind"], row["queue"], row["user_id"]) == ("export:generate", "low", kim.id)


async def test_file_respects_the_filters(
    api: httpx.AsyncClient, run_jobs: RunJobs, bucket: Bucket, kim: Person
) -> None:
    filters = {"from": "2020-01-01", "to": "2020-01-01", "type": "run"}
    export = await complete_export(api, run_jobs, kim, **filters)

    download = await api.get(CSV, params=filters, headers=kim.headers)

    assert export["row_count"] == download.text.count("\n") - 1 == 2
    assert export["sha256"] == hashlib.sha256(download.content).hexdigest()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"format": "xlsx"}, "format"),
        ({}, "format"),
        ({"format": "csv", "from": "2026-02-30"}, "from"),
        ({"format": "csv", "from": "2026-02-02", "to": "2026-02-01"}, "to"),
        ({"format": "csv", "type": "flight"}, "type"),
        ({"format": "csv", "first": "2026-02-01"}, "first"),
    ],
)
async def test_error_names_the_invalid_field(
    api: httpx.AsyncClient, database: Database, kim: Person, body: dict[str, str], field: str
) -> None:
    response = await api.post(f"{EXPORT}/request", json=body, headers=kim.headers)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await database.fetchval("select count(*) from exports") == 0


async def test_identical_request_returns_the_unfinished_export(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    export = await request_export(api, kim, type="run")

    assert await request_export(api, kim, type="run") == export
    assert (await request_export(api, kim, type="ride"))["id"] != export["id"]
    assert (await request_export(api, sam, type="run"))["id"] != export["id"]
    assert await database.fetchval("select count(*) from jobs") == 3


async def test_concurrent_identical_requests_create_one_export(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    exports = await asyncio.gather(*(request_export(api, kim) for _ in range(8)))

    assert len({export["id"] for export in exports}) == 1
    assert await database.fetchval("select count(*) from jobs") == 1


async def test_identical_request_after_completion_creates_a_new_export(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person
) -> None:
    export = await complete_export(api, run_jobs, kim)

    assert (await request_export(api, kim))["id"] != export["id"]


async def test_third_unfinished_export_is_429(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person, sam: Person
) -> None:
    await request_export(api, kim, type="run")
    await request_export(api, kim, type="ride")

    body = {"format": "csv", "type": "swim"}
    third = await api.post(f"{EXPORT}/request", json=body, headers=kim.headers)

    assert third.status_code == 429
    assert int(third.headers["Retry-After"]) > 0
    await request_export(api, sam, type="swim")
    await run_jobs()
    await request_export(api, kim, type="swim")


async def test_concurrent_requests_create_at_most_two_exports(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    types = ("run", "ride", "swim", "walk", "hike", "other")

    async def request_status(type: str) -> int:
        body = {"format": "csv", "type": type}
        response = await api.post(f"{EXPORT}/request", json=body, headers=kim.headers)
        return response.status_code

    codes = await asyncio.gather(*map(request_status, types))

    assert sorted(codes) == [202, 202, 429, 429, 429, 429]
    assert await database.fetchval("select count(*) from exports") == 2


async def test_export_with_a_cancelled_job_has_failed_and_does_not_block_a_new_export(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await request_export(api, kim)
    await database.execute("update jobs set state = 'cancelled', finished_at = now()")

    assert (await export_status(api, kim, export["id"]))["status"] == "failed"
    again = await request_export(api, kim)
    assert again["id"] != export["id"]
    assert again["status"] == "pending"


async def test_repeated_idempotency_key_returns_the_first_response(
    api: httpx.AsyncClient, run_jobs: RunJobs, database: Database, kim: Person
) -> None:
    headers = {**kim.headers, "Idempotency-Key": "once"}
    body = {"format": "csv"}
    first = await api.post(f"{EXPORT}/request", json=body, headers=headers)
    await run_jobs()
    second = await api.post(f"{EXPORT}/request", json=body, headers=headers)

    assert first.status_code == second.status_code == 202
    assert second.json() == first.json()
    assert await database.fetchval("select count(*) from exports") == 1


async def test_export_of_another_user_is_not_found(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person, sam: Person
) -> None:
    export = await complete_export(api, run_jobs, kim)
    for method, path in (("GET", "/status"), ("GET", "/download"), ("DELETE", "")):
        for export_id in (export["id"], uuid4()):
            url = f"{EXPORT}/{export_id}{path}"
            response = await api.request(method, url, headers=sam.headers)
            assert response.status_code == 404
    assert await download_status(api, kim, export["id"]) == 302


async def test_unfinished_export_cannot_be_downloaded(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await request_export(api, kim)

    assert await download_status(api, kim, export["id"]) == 409
    await start_job(database)
    assert (await export_status(api, kim, export["id"]))["status"] == "processing"
    assert await download_status(api, kim, export["id"]) == 409


async def start_job(database: Database) -> None:
    await database.execute(
        "update jobs set state = 'running', token = uuidv7(), worker_id = uuidv7(),"
        ' started_at = now(), progress = \'{"done": 4, "total": 10}\''
    )


async def test_status_shows_the_progress(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await request_export(api, kim)
    await start_job(database)

    current = await export_status(api, kim, export["id"])

    assert current["progress"] == {"done": 4, "total": 10}


async def test_failed_export_hides_the_exception_and_cannot_be_downloaded(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await request_export(api, kim)
    await database.execute(
        "update jobs set state = 'dead', finished_at = now(), error = 'KeyError: x',"
        " fingerprint = 'f'"
    )

    current = await export_status(api, kim, export["id"])

    assert current["status"] == "failed"
    assert "KeyError" not in current["error"]
    assert await download_status(api, kim, export["id"]) == 409


async def test_download_of_an_expired_export_is_410(
    api: httpx.AsyncClient, run_jobs: RunJobs, database: Database, kim: Person
) -> None:
    export = await complete_export(api, run_jobs, kim)
    await database.execute("update exports set expires_at = now()")

    assert await download_status(api, kim, export["id"]) == 410
    assert (await export_status(api, kim, export["id"]))["download_url"] is None


async def test_export_expires_after_a_week(
    api: httpx.AsyncClient, run_jobs: RunJobs, database: Database, kim: Person
) -> None:
    await complete_export(api, run_jobs, kim)

    left = await database.fetchval("select expires_at - completed_at from exports")
    assert left.total_seconds() == 7 * 24 * 3600


async def test_deleting_an_export_deletes_its_object(
    api: httpx.AsyncClient, run_jobs: RunJobs, bucket: Bucket, kim: Person
) -> None:
    export = await complete_export(api, run_jobs, kim)
    assert len(await bucket.keys(f"exports/{kim.id}/")) == 1

    deleted = await api.delete(f"{EXPORT}/{export['id']}", headers=kim.headers)

    assert deleted.status_code == 204
    assert await bucket.keys(f"exports/{kim.id}/") == []
    assert await download_status(api, kim, export["id"]) == 404
    again = await api.delete(f"{EXPORT}/{export['id']}", headers=kim.headers)
    assert again.status_code == 404
    history = await api.get(f"{EXPORT}/history", headers=kim.headers)
    assert history.json() == {"items": [], "next_cursor": None}


async def test_export_deleted_before_it_starts_is_never_generated(
    api: httpx.AsyncClient, run_jobs: RunJobs, database: Database, bucket: Bucket, kim: Person
) -> None:
    export = await request_export(api, kim)

    await api.delete(f"{EXPORT}/{export['id']}", headers=kim.headers)
    another = await request_export(api, kim)  # a new export, not the deleted one
    await run_jobs()

    assert await bucket.keys(f"exports/{kim.id}/") == [f"exports/{kim.id}/{another['id']}.csv"]
    rows = await database.fetch(
        "select state, error from jobs where kind = 'export:generate' order by id"
    )
    assert [("cancelled", "its export was deleted"), ("done", None)] == [tuple(row) for row in rows]


async def test_history_is_paged_newest_first(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person, sam: Person
) -> None:
    await request_export(api, sam)
    export_ids = [(await complete_export(api, run_jobs, kim))["id"] for _ in range(3)]

    first = (await api.get(f"{EXPORT}/history?limit=2", headers=kim.headers)).json()
    cursor = first["next_cursor"]
    rest = (await api.get(f"{EXPORT}/history?cursor={cursor}", headers=kim.headers)).json()

    assert [export["id"] for export in first["items"] + rest["items"]] == export_ids[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("damage", ["replaced", "removed"])
async def test_missing_or_overwritten_object_is_generated_again(
    api: httpx.AsyncClient,
    run_jobs: RunJobs,
    resources: Resources,
    kim: Person,
    damage: str,
) -> None:
    export = await complete_export(api, run_jobs, kim)
    key = f"exports/{kim.id}/{export['id']}.csv"
    if damage == "replaced":
        await resources.bucket.put(key, b"something else", "text/csv")
    else:
        await resources.bucket.delete([key])

    assert await download_status(api, kim, export["id"]) == 409
    assert (await export_status(api, kim, export["id"]))["status"] == "pending"
    await run_jobs()
    assert await download_status(api, kim, export["id"]) == 302
    again = await export_status(api, kim, export["id"])
    assert again["sha256"] == export["sha256"]
    assert again["job_id"] != export["job_id"]
