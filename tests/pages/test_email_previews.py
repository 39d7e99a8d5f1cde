"""Previews of emails in development."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from app.api.application import create_app
from app.pages import pages_router
from app.resources import Resources
from tests.email.test_emails import SAMPLES

EMAILS = "/dev/emails"


@pytest.fixture
async def browser(resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    """A browser for an application in the development environment."""
    settings = replace(resources.settings, environment="development")

    @asynccontextmanager
    async def existing_resources() -> AsyncIterator[Resources]:
        yield resources

    app = create_app(existing_resources, pages=[pages_router])
    app.state.resources = replace(resources, settings=settings)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("email", SAMPLES)
async def test_preview_shows_a_light_and_a_dark_version_and_the_source(
    browser: httpx.AsyncClient, email: str
) -> None:
    assert f'href="{EMAILS}/{email}"' in (await browser.get(EMAILS)).text
    page = await browser.get(f"{EMAILS}/{email}")
    assert page.status_code == 200
    for scheme in ("light", "dark"):
        path = f"{EMAILS}/{email}/{scheme}"
        assert 2 == page.text.count(f'src="{path}"')
        html = (await browser.get(path)).text
        assert "prefers-color-scheme" not in html
        assert ("@media all {" in html) == (scheme == "dark")
    assert "Message-ID: &lt;" in page.text
    policy = (await browser.get("/")).headers["content-security-policy"]
    assert f"{policy}; frame-src 'self'" == page.headers["content-security-policy"]


async def test_unknown_email_or_color_scheme_is_an_error(browser: httpx.AsyncClient) -> None:
    for path in ("nothing", "nothing/light", "welcome/blue"):
        assert (await browser.get(f"{EMAILS}/{path}")).status_code in {400, 404}


@pytest.mark.parametrize("path", ["", "/welcome", "/welcome/light"])
async def test_previews_do_not_exist_outside_development(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(EMAILS + path)).status_code == 404
