"""Reports in a browser."""

from __future__ import annotations

import re
from datetime import date

import httpx
import pytest

from app.reports.report import key
from app.resources import Resources
from tests.pages.browsing import sign_in_as, sign_up, text_of
from tests.support.http import anonymous_client
from tests.support.people import person


async def test_reports_can_be_listed_and_downloaded_only_by_their_owner(
    browser: httpx.AsyncClient, resources: Resources
) -> None:
    kim, sam = [await person(resources.database, name) for name in ("kim", "sam")]
    await resources.database.execute(
        """insert into reports (user_id, month, size_bytes, sha256)
        values ($1, '2026-10-01', 81234, repeat('a', 64)),
            ($1, '2026-09-01', 79000, repeat('b', 64))""",
        kim.id,
    )
    sign_in_as(browser, kim)
    page = await browser.get("/reports")
    assert "October 2026 81.2 kB" in text_of(page)
    assert text_of(page).index("October") < text_of(page).index("September")

    await resources.bucket.put(key(kim.id, date(2026, 10, 1), None), b"%PDF-", "application/pdf")
    (url, _) = re.findall(r'href="(/reports/[^"]+/download)"', page.text)
    download = await browser.get(url)
    assert download.status_code == 302
    async with anonymous_client() as client:
        assert b"%PDF-" == (await client.get(download.headers["location"])).content

    sign_in_as(browser, sam)
    assert "No reports yet" in text_of(await browser.get("/reports"))
    assert 404 == (await browser.get(url)).status_code


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "soon", "2026-02"])
async def test_invalid_month_and_month_without_a_report_are_404(
    browser: httpx.AsyncClient, month: str
) -> None:
    await sign_up(browser)
    response = await browser.get(f"/reports/{month}/download")
    assert response.status_code == 404
    assert "There is no report for this month." in text_of(response)
