"""Reports at a browser."""

from __future__ import annotations

import re
from datetime import date

import httpx
import pytest

from app.reports.report import key
from app.resources import Resources
from tests.pages.browsing import come_as, sign_up, words
from tests.support.http import anybody
from tests.support.people import person


async def test_the_months_are_listed_and_each_is_a_file(
    browser: httpx.AsyncClient, resources: Resources
) -> None:
    kim, sam = [await person(resources.database, name) for name in ("kim", "sam")]
    await resources.database.execute(
        """insert into reports (user_id, month, size_bytes, sha256)
        values ($1, '2026-10-01', 81234, repeat('a', 64)),
            ($1, '2026-09-01', 79000, repeat('b', 64))""",
        kim.id,
    )
    come_as(browser, kim)
    shown = await browser.get("/reports")
    assert "October 2026 81.2 kB" in words(shown)
    assert words(shown).index("October") < words(shown).index("September")

    await resources.bucket.put(key(kim.id, date(2026, 10, 1), None), b"%PDF-", "application/pdf")
    (address, _) = re.findall(r'href="(/reports/[^"]+/download)"', shown.text)
    taken = await browser.get(address)
    assert taken.status_code == 302
    async with anybody() as client:
        assert b"%PDF-" == (await client.get(taken.headers["location"])).content

    come_as(browser, sam)
    assert "No reports yet" in words(await browser.get("/reports"))
    assert 404 == (await browser.get(address)).status_code


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "soon", "2026-02"])
async def test_a_month_without_a_report_is_404(browser: httpx.AsyncClient, month: str) -> None:
    await sign_up(browser)
    answer = await browser.get(f"/reports/{month}/download")
    assert answer.status_code == 404
    assert "There is no report for this month." in words(answer)
