"""Looking at a page as its readers do: on a phone and a desk, by day and by night.

`SCREENSHOTS=folder just test tests/browser` keeps a picture of each look.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.async_api import Page

WIDTHS = {"phone": 390, "desk": 1280}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
HEIGHT = 844


async def page_is_accessible(page: Page, name: str | None = None) -> None:
    """No rule of axe is broken and nothing scrolls sideways, in all four looks.

    Args:
        name: of the pictures, if they are kept.

    Raises:
        AssertionError: something is wrong, and what.
    """
    before = page.viewport_size
    for device, width in WIDTHS.items():
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await _look(page, f"{device}, {scheme}")
            if name is not None:
                await _keep(page, f"{name}-{device}-{scheme}")
    await page.emulate_media(color_scheme=None)
    if before is not None:
        await page.set_viewport_size(before)


async def _look(page: Page, look: str) -> None:
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    found = AxeResults(await page.evaluate("() => axe.run({resultTypes: ['violations']})"))
    assert not found.violations_count, f"{page.url} ({look}): {found.generate_report()}"
    too_wide = await page.evaluate(TOO_WIDE)
    assert not too_wide, f"{page.url} ({look}) scrolls sideways because of {too_wide}"


TOO_WIDE = """() => {
    const cut = [...document.querySelectorAll('.table')]
        .filter(table => table.scrollWidth > table.clientWidth)
    if (cut.length) return cut.map(table => `the table ${table.getAttribute('aria-label')}`)
    const edge = document.documentElement.clientWidth
    if (document.documentElement.scrollWidth <= edge) return []
    return [...document.querySelectorAll('body *')]
        .filter(one => one.getBoundingClientRect().right > edge + 1)
        .slice(0, 5)
        .map(one => `${one.tagName}.${one.className}: ${one.textContent.slice(0, 40)}`)
}"""


async def _keep(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
