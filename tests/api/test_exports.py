"""Exports over HTTP: asked for, watched, fetched, deleted."""

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
from tests.support.exports import CSV, EXPORT, add_activities, asked, status
from tests.support.http import anybody
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


async def completed(
    api: httpx.AsyncClient, run_jobs: RunJobs, who: Person, **filters: Any
) -> dict[str, Any]:
    export = await asked(api, who, **filters)
    await run_jobs()
    export = await status(api, who, export["id"])
    assert export["status"] == "completed", export
    return export


async def refusal(api: httpx.AsyncClient, who: Person, export_id: str) -> int:
    """The status of a download."""
    answer = await api.get(f"{EXPORT}/{export_id}/download", headers=who.headers)
    return answer.status_code


async def test_an_export_is_made_and_fetched(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person
) -> None:
    export = await completed(api, run_jobs, kim)

    redirect = await api.get(f"{EXPORT}/{export['id']}/download", headers=kim.headers)
    async with anybody() as somebody_else:
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


async def test_what_was_asked_for_is_told(api: httpx.AsyncClient, kim: Person) -> None:
    export = await asked(api, kim, **{"from": "2020-01-01", "to": "2020-06-30", "type": "run"})

    assert export["status"] == "pending"
    assert export["format"] == "csv"
    assert (export["from"], export["to"], export["type"]) == ("2020-01-01", "2020-06-30", "run")
    unknown = ("completed_at", "expires_at", "row_count", "size_bytes", "sha256", "download_url")
    assert {export[name] for name in unknown} == {None}


async def test_it_comes_with_its_job(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await asked(api, kim)

    row = await database.fetchrow("select * from jobs where id = $1", export["job_id"])
    assert row is not None
    assert (row["kind"], row["queue"], row["user_id"]) == ("export:generate", "low", kim.id)


async def test_filters_are_kept_by_the_file(
    api: httpx.AsyncClient, run_jobs: RunJobs, bucket: Bucket, kim: Person
) -> None:
    filters = {"from": "2020-01-01", "to": "2020-01-01", "type": "run"}
    export = await completed(api, run_jobs, kim, **filters)

    shown = await api.get(CSV, params=filters, headers=kim.headers)

    assert export["row_count"] == shown.text.count("\n") - 1 == 2
    assert export["sha256"] == hashlib.sha256(shown.content).hexdigest()


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
async def test_what_is_asked_for_wrongly_is_refused_by_name(
    api: httpx.AsyncClient, database: Database, kim: Person, body: dict[str, str], field: str
) -> None:
    answer = await api.post(f"{EXPORT}/request", json=body, headers=kim.headers)

    assert answer.status_code == 400
    assert [part["field"] for part in answer.json()["errors"]] == [field]
    assert await database.fetchval("select count(*) from exports") == 0


async def test_two_who_ask_for_the_same_get_one(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    one = await asked(api, kim, type="run")

    assert await asked(api, kim, type="run") == one
    assert (await asked(api, kim, type="ride"))["id"] != one["id"]
    assert (await asked(api, sam, type="run"))["id"] != one["id"]
    assert await database.fetchval("select count(*) from jobs") == 3


async def test_many_at_once_who_ask_for_the_same_get_one(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    exports = await asyncio.gather(*(asked(api, kim) for _ in range(8)))

    assert len({export["id"] for export in exports}) == 1
    assert await database.fetchval("select count(*) from jobs") == 1


async def test_what_is_finished_is_no_answer_to_one_who_asks_again(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person
) -> None:
    export = await completed(api, run_jobs, kim)

    assert (await asked(api, kim))["id"] != export["id"]


async def test_a_third_unfinished_one_is_too_many(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person, sam: Person
) -> None:
    await asked(api, kim, type="run")
    await asked(api, kim, type="ride")

    body = {"format": "csv", "type": "swim"}
    third = await api.post(f"{EXPORT}/request", json=body, headers=kim.headers)

    assert third.status_code == 429
    assert int(third.headers["Retry-After"]) > 0
    await asked(api, sam, type="swim")
    await run_jobs()
    await asked(api, kim, type="swim")


async def test_of_many_at_once_two_are_taken(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    kinds = ("run", "ride", "swim", "walk", "hike", "other")

    async def ask(kind: str) -> int:
        body = {"format": "csv", "type": kind}
        answer = await api.post(f"{EXPORT}/request", json=body, headers=kim.headers)
        return answer.status_code

    codes = await asyncio.gather(*map(ask, kinds))

    assert sorted(codes) == [202, 202, 429, 429, 429, 429]
    assert await database.fetchval("select count(*) from exports") == 2


async def test_one_whose_job_has_ended_without_it_stands_in_nobody_s_way(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await asked(api, kim)
    await database.execute("update jobs set state = 'cancelled', finished_at = now()")

    assert (await status(api, kim, export["id"]))["status"] == "failed"
    again = await asked(api, kim)
    assert again["id"] != export["id"]
    assert again["status"] == "pending"


async def test_a_repeated_request_gets_the_first_answer(
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


async def test_another_s_export_is_not_there(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person, sam: Person
) -> None:
    export = await completed(api, run_jobs, kim)
    for method, path in (("GET", "/status"), ("GET", "/download"), ("DELETE", "")):
        for export_id in (export["id"], uuid4()):
            url = f"{EXPORT}/{export_id}{path}"
            answer = await api.request(method, url, headers=sam.headers)
            assert answer.status_code == 404
    assert await refusal(api, kim, export["id"]) == 302


async def test_what_is_not_finished_cannot_be_fetched(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await asked(api, kim)

    assert await refusal(api, kim, export["id"]) == 409
    await start_job(database)
    assert (await status(api, kim, export["id"]))["status"] == "processing"
    assert await refusal(api, kim, export["id"]) == 409


async def start_job(database: Database) -> None:
    await database.execute(
        "update jobs set state = 'running', token = uuidv7(), worker_id = uuidv7(),"
        ' started_at = now(), progress = \'{"done": 4, "total": 10}\''
    )


async def test_how_far_it_is_is_told(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await asked(api, kim)
    await start_job(database)

    seen = await status(api, kim, export["id"])

    assert seen["progress"] == {"done": 4, "total": 10}


async def test_what_has_failed_says_why_and_cannot_be_fetched(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    export = await asked(api, kim)
    await database.execute(
        "update jobs set state = 'dead', finished_at = now(), error = 'KeyError: x',"
        " fingerprint = 'f'"
    )

    seen = await status(api, kim, export["id"])

    assert seen["status"] == "failed"
    assert "KeyError" not in seen["error"]
    assert await refusal(api, kim, export["id"]) == 409


async def test_what_has_expired_is_gone(
    api: httpx.AsyncClient, run_jobs: RunJobs, database: Database, kim: Person
) -> None:
    export = await completed(api, run_jobs, kim)
    await database.execute("update exports set expires_at = now()")

    assert await refusal(api, kim, export["id"]) == 410
    assert (await status(api, kim, export["id"]))["download_url"] is None


async def test_it_expires_after_a_week(
    api: httpx.AsyncClient, run_jobs: RunJobs, database: Database, kim: Person
) -> None:
    await completed(api, run_jobs, kim)

    left = await database.fetchval("select expires_at - completed_at from exports")
    assert left.total_seconds() == 7 * 24 * 3600


async def test_what_is_deleted_is_gone_with_its_object(
    api: httpx.AsyncClient, run_jobs: RunJobs, bucket: Bucket, kim: Person
) -> None:
    export = await completed(api, run_jobs, kim)
    assert len(await bucket.keys(f"exports/{kim.id}/")) == 1

    deleted = await api.delete(f"{EXPORT}/{export['id']}", headers=kim.headers)

    assert deleted.status_code == 204
    assert await bucket.keys(f"exports/{kim.id}/") == []
    assert await refusal(api, kim, export["id"]) == 404
    again = await api.delete(f"{EXPORT}/{export['id']}", headers=kim.headers)
    assert again.status_code == 404
    history = await api.get(f"{EXPORT}/history", headers=kim.headers)
    assert history.json() == {"items": [], "next_cursor": None}


async def test_what_is_deleted_before_it_is_begun_is_never_made(
    api: httpx.AsyncClient, run_jobs: RunJobs, database: Database, bucket: Bucket, kim: Person
) -> None:
    export = await asked(api, kim)

    await api.delete(f"{EXPORT}/{export['id']}", headers=kim.headers)
    another = await asked(api, kim)  # for which there is room
    await run_jobs()

    assert await bucket.keys(f"exports/{kim.id}/") == [f"exports/{kim.id}/{another['id']}.csv"]
    rows = await database.fetch(
        "select state, error from jobs where kind = 'export:generate' order by id"
    )
    assert [("cancelled", "its export was deleted"), ("done", None)] == [tuple(row) for row in rows]


async def test_history_is_newest_first_by_pages(
    api: httpx.AsyncClient, run_jobs: RunJobs, kim: Person, sam: Person
) -> None:
    await asked(api, sam)
    made = [(await completed(api, run_jobs, kim))["id"] for _ in range(3)]

    first = (await api.get(f"{EXPORT}/history?limit=2", headers=kim.headers)).json()
    cursor = first["next_cursor"]
    rest = (await api.get(f"{EXPORT}/history?cursor={cursor}", headers=kim.headers)).json()

    assert [export["id"] for export in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("damage", ["replaced", "removed"])
async def test_an_object_that_is_not_the_one_that_was_made_is_made_again(
    api: httpx.AsyncClient,
    run_jobs: RunJobs,
    resources: Resources,
    kim: Person,
    damage: str,
) -> None:
    export = await completed(api, run_jobs, kim)
    key = f"exports/{kim.id}/{export['id']}.csv"
    if damage == "replaced":
        await resources.bucket.put(key, b"something else", "text/csv")
    else:
        await resources.bucket.delete([key])

    assert await refusal(api, kim, export["id"]) == 409
    assert (await status(api, kim, export["id"]))["status"] == "pending"
    await run_jobs()
    assert await refusal(api, kim, export["id"]) == 302
    again = await status(api, kim, export["id"])
    assert again["sha256"] == export["sha256"]
    assert again["job_id"] != export["job_id"]
