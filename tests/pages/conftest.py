"""A browser without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.resources import Resources


@pytest.fixture
async def browser(application: Any, resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is not signed in and follows no redirects. The tables are empty."""
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="https://test") as client:
        yield client
