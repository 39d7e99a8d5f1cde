"""Emails in a browser: in the preview, and on their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.async_api import Browser, BrowserContext, expect

from app.embedded.ports import free_ports
from app.pages.email_previews import force_scheme
from tests.browser.accessibility import assert_page_is_accessible
from tests.browser.conftest import WAIT_LIMIT_MS
from tests.browser.page_errors import PageErrors
from tests.email.reading import html_of
from tests.email.test_emails import SAMPLES
from tests.support.processes import API, program

WIDTHS = {"desktop": 700, "phone": 375}
CARD_COLORS = {"light": "rgb(255, 255, 255)", "dark": "rgb(25, 31, 28)"}
RUN_AXE = """() => axe.run({
    resultTypes: ['violations'],
    rules: {'landmark-one-main': {enabled: false}, region: {enabled: false}},
})"""
"""All rules except those about landmarks: mail clients show emails within their own page."""


@pytest.fixture
async def preview(browser: Browser, environ: dict[str, str]) -> AsyncIterator[BrowserContext]:
    """A browser for a service in the development environment."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    overrides = {"HOST": "127.0.0.1", "PORT": str(port), "ENVIRONMENT": "development"}
    async with program(*API, environ={**environ, **overrides}) as running:
        await running.wait_for_output("api.started")
        context = await browser.new_context(base_url=url)
        context.set_default_timeout(WAIT_LIMIT_MS)
        yield context
        await context.close()


async def test_preview_shows_an_email_at_desktop_and_phone_widths_in_light_and_dark_mode(
    preview: BrowserContext, page_errors: PageErrors
) -> None:
    page = await preview.new_page()
    page_errors.watch(page)
    await page.goto("/dev/emails")
    await page.get_by_role("link", name="weekly_summary").click()
    for scheme, colour in CARD_COLORS.items():
        for device, width in WIDTHS.items():
            title = f"{device.capitalize()}, {scheme}"
            frame = page.frame_locator(f'iframe[title="{title}"]')
            await expect(frame.get_by_role("heading", level=1)).to_have_text(
                "Your week, Ada Lovelace."
            )
            await expect(frame.locator(".card")).to_have_css("background-color", colour)
            box = await page.get_by_title(title).bounding_box()
            assert box is not None
            assert round(box["width"]) == width
    await assert_page_is_accessible(page, "dev-emails")
    assert not list(page_errors)


@pytest.mark.parametrize("scheme", CARD_COLORS)
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
async def test_emails_are_accessible_and_do_not_scroll_sideways(
    browser: Browser, width: int, scheme: str
) -> None:
    page = await browser.new_page(viewport={"width": width, "height": 800})
    page.set_default_timeout(WAIT_LIMIT_MS)
    for name, email in SAMPLES.items():
        await page.set_content(force_scheme(html_of(email), scheme))  # type: ignore[arg-type] # a Scheme
        await page.evaluate(AXE_SCRIPT)
        results = AxeResults(await page.evaluate(RUN_AXE))
        assert not results.violations_count, f"{name}: {results.generate_report()}"
        assert width == await page.evaluate("document.documentElement.scrollWidth"), name
    await page.close()
