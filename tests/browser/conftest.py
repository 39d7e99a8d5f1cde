"""A real browser before the real service: the API as a process of its own, on the tests' servers.

A test that needs the worker starts one around itself (`tests.support.working.working`).
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
from tests.browser.guard import Troubles
from tests.support.processes import API, Program, program
from tests.support.working import WAIT_LIMIT_S

WAIT_LIMIT_MS = 1000 * WAIT_LIMIT_S
"""Milliseconds that anything in a page may take."""
ZONE = "America/New_York"
"""Where the reader is: not where times are kept."""

expect.set_options(timeout=WAIT_LIMIT_MS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """However many tests are skipped here, they are told in one line: they have one place."""
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
    """Where there is no browser, these tests are skipped, with one line; in CI they fail."""
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
    """The service, as `python -m app.asgi` serves it."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    its_own = {"HOST": "127.0.0.1", "PORT": str(port), "APP_URL": url}
    async with program(*API, environ={**environ, **its_own}) as running:
        await running.says("api.started")
        yield Site(url, running)


@pytest.fixture
async def context(
    browser: Browser, site: Site, resources: Resources
) -> AsyncIterator[BrowserContext]:
    """A browser that nobody has used yet, before empty tables."""
    context = await browser.new_context(base_url=site.url, locale="en-GB", timezone_id=ZONE)
    context.set_default_timeout(WAIT_LIMIT_MS)
    yield context
    await context.close()


@pytest.fixture
async def context_without_scripts(
    browser: Browser, site: Site, resources: Resources
) -> AsyncIterator[BrowserContext]:
    """A browser that runs no scripts, before empty tables."""
    context = await browser.new_context(base_url=site.url, java_script_enabled=False)
    context.set_default_timeout(WAIT_LIMIT_MS)
    yield context
    await context.close()


@pytest.fixture
def troubles() -> Troubles:
    return Troubles()


@pytest.fixture
async def page(context: BrowserContext, site: Site, troubles: Troubles) -> AsyncIterator[Page]:
    """A page in which nothing may go wrong: neither in the browser nor, unseen, in the service."""
    said_before = len(site.program.said)
    page = await context.new_page()
    troubles.watch(page)
    yield page
    await page.close()
    lines = site.program.said[said_before:].splitlines()
    unseen = [line.replace("\\n", "\n") for line in lines if '"level": "error"' in line]
    if told := "\n".join([*troubles, *unseen]):
        pytest.fail(told, pytrace=False)
