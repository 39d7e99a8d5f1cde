"""An operator before a browser without scripts."""

from __future__ import annotations

import httpx
import pytest

from app.postgres.database import Database
from tests.jobs.operators import operator
from tests.support.people import Person

SESSION = "__Host-session"


@pytest.fixture
async def ada(database: Database) -> Person:
    """The operator."""
    return await operator(database)


@pytest.fixture
def desk(browser: httpx.AsyncClient, ada: Person) -> httpx.AsyncClient:
    """The browser of the operator, who is signed in."""
    browser.cookies.set(SESSION, ada.token)
    return browser
