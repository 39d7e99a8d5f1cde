"""An operator, and a browser in which they are signed in."""

from __future__ import annotations

import httpx
import pytest

from app.postgres.database import Database
from tests.jobs.operators import operator
from tests.support.people import Person

SESSION = "__Host-session"


@pytest.fixture
async def ada(database: Database) -> Person:
    """An operator."""
    return await operator(database)


@pytest.fixture
def ops_browser(browser: httpx.AsyncClient, ada: Person) -> httpx.AsyncClient:
    """A browser in which the operator is signed in."""
    browser.cookies.set(SESSION, ada.token)
    return browser
