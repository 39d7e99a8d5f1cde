"""Fixtures for the worker's tests."""

from __future__ import annotations

import pytest

from app.postgres.database import Database
from tests.support.ledger import create_ledger


@pytest.fixture
async def effects(database: Database) -> Database:
    """The database, with an empty ledger."""
    await create_ledger(database)
    return database
