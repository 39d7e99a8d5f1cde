"""The front page."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.accessibility import assert_page_is_accessible


async def test_front_page_is_accessible(page: Page) -> None:
    await page.goto("/")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await assert_page_is_accessible(page, "front")
