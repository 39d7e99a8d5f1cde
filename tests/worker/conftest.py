"""Fixtures for the worker's tests."""

from __future__ import annotations

import pytest

from app.postgres.database import Database
from tests.support.ledger import create_ledger


@pytest.fixture
async def effects(database: Database) -> Database:
    """The database, with empty tables for the starts and effects of jobs."""
    await create_ledger(database)
    return database
