"""Accessibility checks for a page at phone and desktop widths, in light and dark mode.

`SCREENSHOTS=folder just test tests/browser` saves a screenshot of each variant.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.async_api import Page

WIDTHS = {"phone": 390, "desktop": 1280}
"""Viewport widths in CSS pixels."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
HEIGHT = 844


async def assert_page_is_accessible(page: Page, name: str | None = None) -> None:
    """Assert that no axe rule is violated and that nothing scrolls sideways, in any variant.

    After a click that opens another page, first wait for the address or the text of that page:
    axe cannot run in a page that the browser is leaving.

    Args:
        name: how the names of the screenshots begin; None to save no screenshots.
    """
    await page.wait_for_load_state()
    before = page.viewport_size
    for device, width in WIDTHS.items():
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await _check(page, f"{device}, {scheme}")
            if name is not None:
                await _save_screenshot(page, f"{name}-{device}-{scheme}")
    await page.emulate_media(color_scheme=None)
    if before is not None:
        await page.set_viewport_size(before)


async def _check(page: Page, variant: str) -> None:
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    results = AxeResults(await page.evaluate("() => axe.run({resultTypes: ['violations']})"))
    assert not results.violations_count, f"{page.url} ({variant}): {results.generate_report()}"
    too_wide = await page.evaluate(FIND_TOO_WIDE)
    assert not too_wide, f"{page.url} ({variant}) scrolls sideways because of {too_wide}"


FIND_TOO_WIDE = """() => {
    const scrolling = [...document.querySelectorAll('.table')]
        .filter(table => table.scrollWidth > table.clientWidth)
    const label = table => `the table ${table.getAttribute('aria-label')}`
    if (scrolling.length) return scrolling.map(label)
    const edge = document.documentElement.clientWidth
    if (document.documentElement.scrollWidth <= edge) return []
    return [...document.querySelectorAll('body *')]
        .filter(element => element.getBoundingClientRect().right > edge + 1)
        .slice(0, 5)
        .map(({tagName, className, textContent}) =>
            `${tagName}.${className}: ${textContent.slice(0, 40)}`)
}"""


async def _save_screenshot(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
