"""Fixtures for the schedule tests."""

from __future__ import annotations

import pytest

from app.jobs.schedules import fire_due
from app.postgres.database import Database
from tests.support.moments import at


@pytest.fixture
async def since_tuesday(database: Database) -> Database:
    """The database, with the schedules registered at noon on Tuesday, 2026-11-24."""
    assert [] == await fire_due(database, now=at("2026-11-24 12:00"))
    return database
