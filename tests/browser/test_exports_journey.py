"""The whole journey of a person: sign up, record, export, watch, download, delete."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.async_api import BrowserContext, Locator, Page, expect

from app.pages.formatting import moment
from app.resources import Resources
from tests.browser.conftest import ZONE
from tests.browser.guard import UNANSWERED, Troubles
from tests.browser.looking import page_is_accessible
from tests.support.working import run_jobs, working
from tests.users.people import PASSWORD


async def open_account(page: Page, name: str = "Kim Lee", *, looked_at: bool = True) -> None:
    await page.goto("/")
    await page.get_by_role("link", name="Create your account").click()
    if looked_at:  # which takes scripts
        await page_is_accessible(page, "sign-up")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Email address").fill("kim@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="Activities", exact=True)).to_be_visible()


def recent_start() -> datetime:
    """17:30 UTC of the day before yesterday: news to friends, and about noon where the reader is,
    which no change of clocks skips or repeats."""
    day = datetime.now(UTC) - timedelta(days=2)
    return day.replace(hour=17, minute=30, second=0, microsecond=0)


async def record(page: Page, began: datetime) -> None:
    """Record a ride; `began` is entered as the form's wall time."""
    await page.get_by_label("Type", exact=True).select_option(label="Ride")
    await page.get_by_label("Start", exact=True).fill(f"{began:%Y-%m-%dT%H:%M}")
    await page.get_by_label("Minutes").fill("95")
    await page.get_by_label("Kilometres").fill("31.5")
    await page.get_by_label("Notes").fill('Ice & "sun" <b>')
    await page.get_by_role("button", name="Save activity").click()
    await expect(page.get_by_text("Activity saved.")).to_be_visible()


async def test_from_signing_up_to_a_file_and_its_end(
    page: Page, resources: Resources, tmp_path: Path
) -> None:
    await open_account(page)
    await page_is_accessible(page, "activities-empty")
    began = recent_start()
    await record(page, began.astimezone(ZoneInfo(ZONE)))
    time = page.get_by_role("listitem").get_by_role("time").first
    await expect(time).to_have_text(await page.evaluate(AS_READ, [began.isoformat(), ZONE]))
    await expect(time).to_have_attribute("title", moment(began))
    await page_is_accessible(page, "activities")

    await page.get_by_role("link", name="Exports").click()
    await page_is_accessible(page, "exports-empty")
    await page.get_by_role("button", name="Create export").click()
    line = page.get_by_role("listitem").filter(has_text="All activities as CSV")
    await expect(line.get_by_text("Pending")).to_be_visible()
    await page_is_accessible(page, "exports-pending")

    async with working(resources):
        await expect(line.get_by_text("Ready")).to_be_visible()  # without loading the page anew
    await expect(page.get_by_role("status").get_by_text("CSV: ready.")).to_be_attached()
    await expect(line.get_by_text("1 row")).to_be_visible()
    await page_is_accessible(page, "exports-ready")

    async with page.expect_download() as arriving:
        await line.get_by_role("link", name="Download").click()
    download = await arriving.value
    assert download.suggested_filename == "activities.csv"
    await download.save_as(tmp_path / "taken.csv")
    rows = list(csv.reader((tmp_path / "taken.csv").open()))
    assert [f"{began:%Y-%m-%d}", "ride", "95", "31.5", "", 'Ice & "sun" <b>'] == rows[1]

    await line.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page_is_accessible(page, "exports-delete")
    await page.get_by_role("button", name="Delete export").click()
    await expect(page.get_by_text("Export deleted.")).to_be_visible()
    await expect(page.get_by_text("No exports yet")).to_be_visible()
    kim = await resources.database.fetchval("select id from users")
    assert await resources.bucket.keys(f"exports/{kim}/") == []


AS_READ = """([moment, timeZone]) => new Intl.DateTimeFormat(
    "en-GB", {dateStyle: "medium", timeStyle: "short", timeZone}
).format(new Date(moment))"""
"""A moment as people of this zone who read English write it: month names vary by the browser."""


async def test_a_page_says_that_it_is_old_while_the_service_is_away_and_then_goes_on(
    page: Page, resources: Resources, troubles: Troubles
) -> None:
    await open_account(page)
    await page.get_by_role("link", name="Exports").click()
    await page.get_by_role("button", name="Create export").click()
    told = page.get_by_role("alert")
    await expect(page.locator("#stale")).to_be_hidden()
    await page.route("**/exports/*", lambda route: route.abort("connectionrefused"))
    await expect(told).to_contain_text("This page is out of date")
    troubles.forgive(UNANSWERED)
    await page_is_accessible(page, "exports-stale")
    await page.unroute("**/exports/*")
    async with working(resources):
        await expect(page.get_by_role("listitem").get_by_text("Ready")).to_be_visible()
    await expect(told).to_be_hidden()
    troubles.forgive(UNANSWERED)


async def test_an_export_is_asked_for_and_deleted_by_the_keyboard_alone(
    page: Page, resources: Resources
) -> None:
    await open_account(page)
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
    async with working(resources):
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


async def tab_to(page: Page, goal: Locator, *, most: int = 40) -> None:
    """
    Raises:
        AssertionError: so many presses of the key do not lead there.
    """
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await goal.evaluate("here => here === document.activeElement"):
            return
    raise AssertionError(f"{goal} is not reached")


async def test_all_of_it_can_be_done_without_scripts(
    context_without_scripts: BrowserContext, resources: Resources
) -> None:
    page = await context_without_scripts.new_page()
    await open_account(page, looked_at=False)
    began = recent_start()
    await record(page, began)
    time = page.get_by_role("listitem").get_by_role("time").first
    await expect(time).to_have_text(moment(began))

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


async def test_the_link_of_a_letter_asks_to_sign_in_and_then_gives_the_file(
    page: Page, context: BrowserContext, resources: Resources
) -> None:
    await open_account(page)
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
    await page_is_accessible(page, "onward")
