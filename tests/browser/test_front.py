"""The page that everyone sees first."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.looking import page_is_accessible


async def test_the_front_page_says_what_this_is(page: Page) -> None:
    await page.goto("/")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page_is_accessible(page, "front")
