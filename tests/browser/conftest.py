"""A real browser and the real service: the API as a separate process with the tests' servers.

A test that needs a worker starts it with `tests.support.working.running_worker`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from app.embedded.ports import free_ports
from app.resources import Resources
from tests.browser.chromium import FLAGS, MISSING, chromium
from tests.browser.page_errors import PageErrors
from tests.support.processes import API, Program, program
from tests.support.working import WAIT_LIMIT_S

WAIT_LIMIT_MS = 1000 * WAIT_LIMIT_S
"""The timeout for anything that happens on a page."""
TIME_ZONE = "America/New_York"
"""The browser's time zone; the database stores UTC."""

expect.set_options(timeout=WAIT_LIMIT_MS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report all tests skipped here in one line, by giving them the same location."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (__file__, 1, report.longrepr[2])
    return report


@dataclass(frozen=True)
class Site:
    url: str
    program: Program


@pytest.fixture(scope="session", autouse=True)
def chromium_path() -> str:
    """Skip these tests if there is no browser; fail in CI."""
    path = chromium()
    if path is None and os.environ.get("CI"):
        pytest.fail(MISSING, pytrace=False)
    if path is None:
        pytest.skip(MISSING)
    return path


@pytest.fixture(scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(
            executable_path=chromium_path, args=FLAGS, timeout=WAIT_LIMIT_MS
        )


@pytest.fixture(scope="session")
async def site(chromium_path: str, environ: dict[str, str]) -> AsyncIterator[Site]:
    """The service, run by `python -m app.asgi`."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    overrides = {"HOST": "127.0.0.1", "PORT": str(port), "APP_URL": url}
    async with program(*API, environ={**environ, **overrides}) as running:
        await running.wait_for_output("api.started")
        yield Site(url, running)


@pytest.fixture
async def context(
    browser: Browser, site: Site, resources: Resources
) -> AsyncIterator[BrowserContext]:
    """A new browser profile. The tables are empty."""
    context = await browser.new_context(base_url=site.url, locale="en-GB", timezone_id=TIME_ZONE)
    context.set_default_timeout(WAIT_LIMIT_MS)
    yield context
    await context.close()


@pytest.fixture
async def context_without_scripts(
    browser: Browser, site: Site, resources: Resources
) -> AsyncIterator[BrowserContext]:
    """A new browser profile that runs no scripts. The tables are empty."""
    context = await browser.new_context(base_url=site.url, java_script_enabled=False)
    context.set_default_timeout(WAIT_LIMIT_MS)
    yield context
    await context.close()


@pytest.fixture
def page_errors() -> PageErrors:
    return PageErrors()


@pytest.fixture
async def page(context: BrowserContext, site: Site, page_errors: PageErrors) -> AsyncIterator[Page]:
    """A page. The test fails if the browser reports errors or the service logs any."""
    output_before = len(site.program.output)
    page = await context.new_page()
    page_errors.watch(page)
    yield page
    await page.close()
    lines = site.program.output[output_before:].splitlines()
    logged_errors = [line.replace("\\n", "\n") for line in lines if '"level": "error"' in line]
    if errors := "\n".join([*page_errors, *logged_errors]):
        pytest.fail(errors, pytrace=False)
