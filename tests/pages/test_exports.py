"""Exports in a browser: requested, tracked, downloaded and deleted, with and without scripts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.exports.export import Export, ExportId
from app.jobs.job import JobId
from app.pages.exports import poll_interval_s
from app.pages.formatting import PRESETS, DateRange
from app.postgres.database import Database
from tests.pages.browsing import form, redirect_path, sign_in_as, sign_up, submit, text_of
from tests.support.http import anonymous_client
from tests.support.people import person
from tests.support.wall_clock import WallClock
from tests.support.working import RunJobs

FRAGMENT_HEADERS = {"HX-Request": "true"}


async def request_export(browser: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await submit(browser, await browser.get("/exports"), "/exports", **fields)


async def only_export_id(database: Database) -> str:
    return str(await database.fetchval("select max(id::text) from exports"))


async def complete_exports(database: Database) -> None:
    await database.execute(
        """update exports set completed_at = now(), expires_at = now() + interval '7 days',
        row_count = 12345, size_bytes = 1234567, sha256 = $1, etag = 'none', open = false""",
        "a" * 64,
    )


async def test_waiting_export_can_be_cancelled(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    await request_export(browser)
    waiting = await browser.get("/exports")
    cancel_form = form(waiting, "/delete")
    assert cancel_form.button == "Cancel"
    cancelled = await submit(browser, waiting, cancel_form.action)
    assert redirect_path(cancelled) == "/exports"
    assert "No exports yet" in text_of(await browser.get("/exports"))
    state = "select state from jobs where kind = 'export:generate'"
    assert await database.fetchval(state) == "cancelled"


async def test_export_is_requested_generated_downloaded_and_deleted(
    browser: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await sign_up(browser)
    assert "No exports yet" in text_of(await browser.get("/exports"))
    await database.execute(
        """insert into activities (user_id, type, started_at, duration_s)
        select id, 'run', now(), 60 from users"""
    )
    response = await request_export(browser, type="run")
    export_id = await only_export_id(database)
    assert (response.status_code, redirect_path(response)) == (303, f"/exports#export-{export_id}")
    page = text_of(await browser.get("/exports"))
    assert "Export requested." in page
    assert "Runs as CSV" in page
    assert "Pending" in page

    await run_jobs()
    ready = await browser.get("/exports")
    assert "Ready" in text_of(ready)
    assert "1 row ·" in text_of(ready)
    download = await browser.get(f"/exports/{export_id}/download")
    assert download.status_code == 302
    async with anonymous_client() as client:
        assert b"run" in (await client.get(download.headers["location"])).content

    deleted = await submit(browser, ready, f"/exports/{export_id}/delete")
    assert redirect_path(deleted) == "/exports"
    assert "No exports yet" in text_of(await browser.get("/exports"))


@pytest.mark.parametrize(
    ("fields", "reason", "status"),
    [
        ({"period": "days", "from": "2026-02-01", "to": "2026-01-01"}, "before the first", 400),
        ({"period": "days"}, "Choose at least one date.", 400),
        ({"period": "days", "from": "soon"}, "Enter a date such as 2026-11-25.", 400),
        ({"format": "xls"}, "Please check the fields below.", 400),
    ],
)
async def test_invalid_export_form_is_shown_again_with_the_error(
    browser: httpx.AsyncClient, fields: dict[str, str], reason: str, status: int
) -> None:
    await sign_up(browser)
    response = await request_export(browser, **fields)
    assert response.status_code == status
    assert reason in text_of(response)
    assert form(response, "/exports").fields["period"] == fields.get("period", "all")


async def test_third_unfinished_export_is_refused(browser: httpx.AsyncClient) -> None:
    await sign_up(browser)
    for activity_type in ("run", "ride"):
        assert (await request_export(browser, type=activity_type)).status_code == 303
    refused = await request_export(browser, type="swim")
    assert refused.status_code == 429
    assert "retry-after" in refused.headers
    assert "You already have 2 exports in progress" in text_of(refused)


async def test_list_item_polls_until_its_export_is_finished(
    browser: httpx.AsyncClient, database: Database, wall_clock: WallClock
) -> None:
    await sign_up(browser)
    await request_export(browser)
    requested_at = await database.fetchval("select requested_at from exports")
    wall_clock.fixed_at = requested_at + timedelta(seconds=9)
    (url,) = re.findall(r'hx-get="([^"]+)"', (await browser.get("/exports")).text)
    fragment = await browser.get(url, headers=FRAGMENT_HEADERS)
    assert fragment.text.lstrip().startswith("<li ")
    assert 'hx-trigger="every 1s"' in fragment.text
    assert "hx-swap-oob" not in fragment.text

    wall_clock.fixed_at = requested_at + timedelta(hours=1)
    assert 'hx-trigger="every 15s"' in (await browser.get(url, headers=FRAGMENT_HEADERS)).text
    await complete_exports(database)
    fragment = await browser.get(url, headers=FRAGMENT_HEADERS)
    assert "hx-trigger" not in fragment.text
    assert "All activities as CSV: ready." in text_of(fragment)
    assert "12,345 rows · 1.2 MB" in text_of(fragment)
    await database.execute("update exports set deleted_at = now()")
    assert "" == (await browser.get(url, headers=FRAGMENT_HEADERS)).text
    assert 404 == (await browser.get(url)).status_code


async def test_progress_is_shown_as_a_bar_and_a_number_of_rows(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    await request_export(browser)
    await database.execute(
        """update jobs
        set state = 'running', worker_id = uuidv7(), token = uuidv7(), started_at = now(),
            progress = '{"done": 1500, "total": 6000}'
        where kind = 'export:generate'"""
    )
    page = await browser.get("/exports")
    assert '<progress aria-label="Progress of All activities as CSV" max="6000" value="1500">' in (
        page.text
    )
    assert "1,500 of 6,000 rows" in text_of(page)


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ("open = open", 409, "not ready yet"),
        ("open = false, job_id = null, error = 'The bucket & all is full.'", 409, "bucket & all"),
    ],
)
async def test_download_of_an_unfinished_or_failed_export_says_why_there_is_no_file(
    browser: httpx.AsyncClient, database: Database, change: str, status: int, text: str
) -> None:
    await sign_up(browser)
    await request_export(browser)
    await database.execute(f"update exports set {change}")  # noqa: S608 # constants in this test
    response = await browser.get(f"/exports/{await only_export_id(database)}/download")
    assert (response.status_code, response.text.count("<h1>")) == (status, 1)
    assert text in text_of(response)


async def test_expired_export_can_be_requested_again_with_one_button(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    period = {"from": "2026-01-01", "to": "2026-01-31"}
    await request_export(browser, format="pdf", period="days", **period)
    await complete_exports(database)
    await database.execute("update exports set expires_at = now() - interval '1 minute'")
    response = await browser.get(f"/exports/{await only_export_id(database)}/download")
    assert response.status_code == 410
    assert "This export has expired" in text_of(response)
    assert "All activities as PDF 1 Jan 2026 \N{EN DASH} 31 Jan 2026" in text_of(response)
    again = await submit(browser, response, "/exports")
    assert again.status_code == 303
    rows = await database.fetch("select format, first_day, last_day from exports order by id")
    assert rows[0] == rows[1]


async def test_exports_of_other_users_are_404(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    await request_export(browser)
    own = await only_export_id(database)
    sam = await person(database, "sam")
    page = await browser.get("/exports")
    sign_in_as(browser, sam)
    for path in ("", "/download"):
        assert 404 == (await browser.get(f"/exports/{own}{path}")).status_code
    token = form(await browser.get("/settings"), "/settings/name").fields["csrf"]
    response = await browser.post(f"/exports/{own}/delete", data={"csrf": token})
    assert response.status_code == 404
    assert own not in (await browser.get("/exports")).text
    assert own in page.text


async def test_exports_are_paged(browser: httpx.AsyncClient, database: Database) -> None:
    await sign_up(browser)
    await database.execute(
        """insert into exports (user_id, format, open, error)
        select id, 'csv', false, 'It failed.' from users, generate_series(1, 41)"""
    )
    counts, url = [], "/exports"
    while url:
        response = await browser.get(url)
        counts.append(response.text.count('id="export-'))
        matches = re.findall(r'href="(/exports\?before=[^"]+)"', response.text)
        url = matches[0] if matches else ""
    assert [20, 20, 1] == counts


@pytest.mark.parametrize(
    ("today", "period", "days"),
    [
        ("2026-11-25", "month", ("2026-11-01", "2026-11-25")),
        ("2026-01-15", "last_month", ("2025-12-01", "2025-12-31")),
        ("2028-03-31", "last_month", ("2028-02-01", "2028-02-29")),
        ("2026-01-01", "year", ("2026-01-01", "2026-01-01")),
        ("2026-01-01", "last_year", ("2025-01-01", "2025-12-31")),
    ],
)
def test_preset_period_depends_on_today(today: str, period: str, days: tuple[str, str]) -> None:
    expected = DateRange(*(date.fromisoformat(day) for day in days))
    assert expected == PRESETS[period](date.fromisoformat(today))
    assert DateRange() == PRESETS["all"](date.fromisoformat(today))


def test_poll_interval_grows_with_the_age_of_the_export() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    waits = [
        poll_interval_s(unfinished_export(now - timedelta(seconds=age)), now)
        for age in (0, 9, 10, 60, 300, 9000)
    ]
    assert [1, 1, 2, 5, 15, 15] == waits


def unfinished_export(requested_at: datetime) -> Export:
    return Export(
        id=ExportId(UUID(int=1)),
        job_id=JobId(UUID(int=2)),
        format="csv",
        first=None,
        last=None,
        type=None,
        status="processing",
        done=None,
        total=None,
        row_count=None,
        size_bytes=None,
        sha256=None,
        requested_at=requested_at,
        completed_at=None,
        expires_at=None,
        expired=False,
        error=None,
    )
