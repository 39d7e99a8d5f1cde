"""A user's whole journey: signing up, recording, exporting, downloading and deleting."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.async_api import BrowserContext, Locator, Page, expect

from app.pages.formatting import moment
from app.resources import Resources
from tests.browser.accessibility import assert_page_is_accessible
from tests.browser.conftest import TIME_ZONE
from tests.browser.page_errors import CONNECTION_ERRORS, PageErrors
from tests.support.working import run_jobs, running_worker
from tests.users.people import PASSWORD


async def create_account(
    page: Page, name: str = "Kim Lee", *, check_accessibility: bool = True
) -> None:
    await page.goto("/")
    await page.get_by_role("link", name="Create your account").click()
    if check_accessibility:  # axe needs scripts
        await assert_page_is_accessible(page, "sign-up")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Email address").fill("kim@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="Activities", exact=True)).to_be_visible()


def recent_start() -> datetime:
    """Return 17:30 UTC on the day before yesterday.

    It is recent enough for friends' news, and about noon in the browser's time zone, so that no
    clock change skips or repeats it.
    """
    day = datetime.now(UTC) - timedelta(days=2)
    return day.replace(hour=17, minute=30, second=0, microsecond=0)


async def record_ride(page: Page, start: datetime) -> None:
    """Record a ride. `start` is entered as local time."""
    await page.get_by_label("Type", exact=True).select_option(label="Ride")
    await page.get_by_label("Start", exact=True).fill(f"{start:%Y-%m-%dT%H:%M}")
    await page.get_by_label("Minutes").fill("95")
    await page.get_by_label("Kilometres").fill("31.5")
    await page.get_by_label("Notes").fill('Ice & "sun" <b>')
    await page.get_by_role("button", name="Save activity").click()
    await expect(page.get_by_text("Activity saved.")).to_be_visible()


async def test_user_signs_up_records_a_ride_and_creates_downloads_and_deletes_an_export(
    page: Page, resources: Resources, tmp_path: Path
) -> None:
    await create_account(page)
    await assert_page_is_accessible(page, "activities-empty")
    start = recent_start()
    await record_ride(page, start.astimezone(ZoneInfo(TIME_ZONE)))
    time = page.get_by_role("listitem").get_by_role("time").first
    await expect(time).to_have_text(
        await page.evaluate(FORMAT_LIKE_BROWSER, [start.isoformat(), TIME_ZONE])
    )
    await expect(time).to_have_attribute("title", moment(start))
    await assert_page_is_accessible(page, "activities")

    await page.get_by_role("link", name="Exports").click()
    await expect(page).to_have_url("/exports")
    await assert_page_is_accessible(page, "exports-empty")
    await page.get_by_role("button", name="Create export").click()
    line = page.get_by_role("listitem").filter(has_text="All activities as CSV")
    await expect(line.get_by_text("Pending")).to_be_visible()
    await assert_page_is_accessible(page, "exports-pending")

    async with running_worker(resources):
        await expect(line.get_by_text("Ready")).to_be_visible()  # without reloading the page
    await expect(page.get_by_role("status").get_by_text("CSV: ready.")).to_be_attached()
    await expect(line.get_by_text("1 row")).to_be_visible()
    await assert_page_is_accessible(page, "exports-ready")

    async with page.expect_download() as arriving:
        await line.get_by_role("link", name="Download").click()
    download = await arriving.value
    assert download.suggested_filename == "activities.csv"
    await download.save_as(tmp_path / "activities.csv")
    rows = list(csv.reader((tmp_path / "activities.csv").open()))
    assert [f"{start:%Y-%m-%d}", "ride", "95", "31.5", "", 'Ice & "sun" <b>'] == rows[1]

    await line.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await assert_page_is_accessible(page, "exports-delete")
    await page.get_by_role("button", name="Delete export").click()
    await expect(page.get_by_text("Export deleted.")).to_be_visible()
    await expect(page.get_by_text("No exports yet")).to_be_visible()
    kim = await resources.database.fetchval("select id from users")
    assert await resources.bucket.keys(f"exports/{kim}/") == []


FORMAT_LIKE_BROWSER = """([moment, timeZone]) => new Intl.DateTimeFormat(
    "en-GB", {dateStyle: "medium", timeStyle: "short", timeZone}
).format(new Date(moment))"""
"""A script that formats a time as the browser does, because month names vary by browser."""


async def test_exports_page_recovers_once_the_service_is_back(
    page: Page, resources: Resources, page_errors: PageErrors
) -> None:
    await create_account(page)
    await page.get_by_role("link", name="Exports").click()
    await page.get_by_role("button", name="Create export").click()
    alert = page.get_by_role("alert")
    await expect(page.locator("#stale")).to_be_hidden()
    await page.route("**/exports/*", lambda route: route.abort("connectionrefused"))
    await expect(alert).to_contain_text("This page is out of date")
    page_errors.ignore(CONNECTION_ERRORS)
    await assert_page_is_accessible(page, "exports-stale")
    await page.unroute("**/exports/*")
    async with running_worker(resources):
        await expect(page.get_by_role("listitem").get_by_text("Ready")).to_be_visible()
    await expect(alert).to_be_hidden()
    page_errors.ignore(CONNECTION_ERRORS)


async def test_export_is_requested_and_deleted_by_keyboard(
    page: Page, resources: Resources
) -> None:
    await create_account(page)
    await page.goto("/exports")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")

    await tab_to(page, page.get_by_role("radio", name="CSV"))
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("radio", name="PDF")).to_be_checked()
    await tab_to(page, page.get_by_role("button", name="Create export"))
    await page.keyboard.press("Enter")
    line = page.get_by_role("listitem").filter(has_text="All activities as PDF")
    async with running_worker(resources):
        await expect(line.get_by_text("Ready")).to_be_visible()

    await tab_to(page, line.get_by_role("button", name="Delete"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(line.get_by_role("button", name="Delete")).to_be_focused()
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_role("button", name="Delete export"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Export deleted.")).to_be_visible()


async def tab_to(page: Page, target: Locator, *, max_presses: int = 40) -> None:
    """Press Tab until the target has the focus.

    Raises:
        AssertionError: the target does not get the focus within `max_presses`.
    """
    for _ in range(max_presses):
        await page.keyboard.press("Tab")
        if await target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab did not reach {target}")


async def test_exports_work_without_scripts(
    context_without_scripts: BrowserContext, resources: Resources
) -> None:
    page = await context_without_scripts.new_page()
    await create_account(page, check_accessibility=False)
    start = recent_start()
    await record_ride(page, start)
    time = page.get_by_role("listitem").get_by_role("time").first
    await expect(time).to_have_text(moment(start))

    await page.get_by_role("link", name="Exports").click()
    await page.get_by_role("button", name="Create export").click()
    line = page.get_by_role("listitem").filter(has_text="All activities as CSV")
    await expect(line.get_by_text("Pending")).to_be_visible()
    await run_jobs(resources)
    await line.get_by_role("link", name="Check progress").click()
    await expect(line.get_by_text("Ready")).to_be_visible()
    async with page.expect_download() as arriving:
        await line.get_by_role("link", name="Download").click()
    assert (await arriving.value).suggested_filename == "activities.csv"

    await line.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Delete export").click()
    await expect(page.get_by_text("No exports yet")).to_be_visible()


async def test_download_link_from_an_email_leads_through_sign_in(
    page: Page, context: BrowserContext, resources: Resources
) -> None:
    await create_account(page)
    await page.get_by_role("link", name="Exports").click()
    await page.get_by_role("radio", name="PDF").check()
    await page.get_by_role("button", name="Create export").click()
    await run_jobs(resources)
    export_id = await resources.database.fetchval("select id from exports")
    await context.clear_cookies()

    await page.goto(f"/exports/{export_id}/download")
    await page.get_by_label("Email address").fill("kim@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    async with page.expect_download() as arriving:
        await page.get_by_role("button", name="Sign in").click()
    assert (await arriving.value).suggested_filename == "activities.pdf"
    await expect(page.get_by_text("Your download is starting.")).to_be_visible()
    await assert_page_is_accessible(page, "download-starting")
