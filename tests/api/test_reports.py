"""Reports over HTTP: listed and downloaded, by their owner only."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.postgres.database import Database
from app.s3 import Bucket
from tests.pdf.reading import words
from tests.reports.months import add_activity, report_without_etag, stored_report
from tests.support.http import anonymous_client
from tests.support.people import Person, person
from tests.support.working import RunJobs

REPORTS = "/api/v1/reports"


async def add_reports(database: Database, owner: Person, *months: str) -> None:
    for month in months:
        await report_without_etag(database, owner.id, date.fromisoformat(f"{month}-01"))


async def test_reports_are_listed_newest_month_first(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada, eve = await person(database, "ada"), await person(database, "eve")
    await add_reports(database, ada, "2026-09", "2026-11", "2025-12", "2026-10")
    await add_reports(database, eve, "2026-11")
    response = await api.get(REPORTS, headers=ada.headers, params={"limit": 3})
    first = response.json()
    assert first["items"][0].pop("created_at")
    assert first["items"][0] == {
        "month": "2026-11",
        "size_bytes": 48_211,
        "download_url": "/api/v1/reports/2026-11/download",
    }
    assert [item["month"] for item in first["items"]] == ["2026-11", "2026-10", "2026-09"]
    query = {"limit": 3, "cursor": first["next_cursor"]}
    rest = (await api.get(REPORTS, headers=ada.headers, params=query)).json()
    assert [item["month"] for item in rest["items"]] == ["2025-12"]
    assert rest["next_cursor"] is None


async def test_list_is_empty_without_reports(api: httpx.AsyncClient, database: Database) -> None:
    ada = await person(database, "ada")
    response = await api.get(REPORTS, headers=ada.headers)
    assert response.json() == {"items": [], "next_cursor": None}


async def download(api: httpx.AsyncClient, owner: Person, month: str) -> httpx.Response:
    """Download a report and follow the redirect."""
    response = await api.get(f"{REPORTS}/{month}/download", headers=owner.headers)
    assert response.status_code == 302, response.text
    url = response.headers["location"]
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["300"]
    async with anonymous_client() as client:
        return await client.get(url)


async def test_report_is_downloaded_through_a_redirect(
    api: httpx.AsyncClient, database: Database, bucket: Bucket
) -> None:
    ada = await person(database, "ada")
    await stored_report(database, bucket, ada.id)
    found = await download(api, ada, "2025-11")
    assert found.content == b"%PDF"
    assert found.headers["content-type"] == "application/pdf"
    assert found.headers["content-disposition"] == 'attachment; filename="activelog-2025-11.pdf"'


async def test_report_without_an_etag_can_be_downloaded_while_its_file_exists(
    api: httpx.AsyncClient, database: Database, bucket: Bucket
) -> None:
    ada = await person(database, "ada")
    object_key = await report_without_etag(database, ada.id)
    await bucket.put(object_key, b"%PDF-1", "application/pdf")
    assert b"%PDF-1" == (await download(api, ada, "2025-11")).content


@pytest.mark.parametrize("loss", ["gone", "overwritten", "gone, without an ETag"])
async def test_missing_or_overwritten_report_is_recreated(
    api: httpx.AsyncClient, database: Database, bucket: Bucket, run_jobs: RunJobs, loss: str
) -> None:
    ada = await person(database, "ada")
    if loss == "gone, without an ETag":
        await report_without_etag(database, ada.id)
    else:
        object_key = await stored_report(database, bucket, ada.id)
        await bucket.delete([object_key])
        if loss == "overwritten":
            await bucket.put(object_key, b"%PDF by somebody else", "application/pdf")
    await add_activity(database, ada.id, "2025-11-03T07:30")
    for _ in range(2):
        lost = await api.get(f"{REPORTS}/2025-11/download", headers=ada.headers)
        assert lost.status_code == 409
        detail = "The file is missing or damaged and is being recreated. Try again in a minute."
        assert lost.json()["detail"] == detail
    assert await database.fetchval("select count(*) from jobs") == 1
    await run_jobs()
    assert "Activities 1" in words((await download(api, ada, "2025-11")).content)


async def test_report_with_neither_a_file_nor_activities_is_deleted(
    api: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    ada = await person(database, "ada")
    await add_reports(database, ada, "2026-11")
    gone = await api.get(f"{REPORTS}/2026-11/download", headers=ada.headers)
    assert gone.status_code == 409
    await run_jobs()
    again = await api.get(f"{REPORTS}/2026-11/download", headers=ada.headers)
    assert again.status_code == 404


@pytest.mark.parametrize("month", ["2026-10", "2026-13", "2026-1", "november", "2026-11-01"])
async def test_month_without_a_report_is_not_found(
    api: httpx.AsyncClient, database: Database, month: str
) -> None:
    ada = await person(database, "ada")
    await add_reports(database, ada, "2026-11")
    response = await api.get(f"{REPORTS}/{month}/download", headers=ada.headers)
    assert response.status_code == 404
    assert response.json()["detail"] == "There is no report for this month."


async def test_report_of_another_user_is_not_found(
    api: httpx.AsyncClient, database: Database
) -> None:
    ada, eve = await person(database, "ada"), await person(database, "eve")
    await add_reports(database, ada, "2026-11")
    response = await api.get(f"{REPORTS}/2026-11/download", headers=eve.headers)
    assert response.status_code == 404


async def test_reports_require_a_token(api: httpx.AsyncClient) -> None:
    for path in (REPORTS, f"{REPORTS}/2026-11/download"):
        assert (await api.get(path)).status_code == 401


async def test_invalid_cursor_is_refused(api: httpx.AsyncClient, database: Database) -> None:
    ada = await person(database, "ada")
    response = await api.get(REPORTS, headers=ada.headers, params={"cursor": "bm9uZQ"})
    assert response.status_code == 400
