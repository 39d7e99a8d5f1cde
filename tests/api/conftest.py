"""Fixtures for the API tests."""

from __future__ import annotations

import pytest

from tests.support.moments import at
from tests.support.wall_clock import WallClock


@pytest.fixture
def in_november(wall_clock: WallClock) -> None:
    """Set the clock to 23 November 2026, so that a run on the 21st is news for friends."""
    wall_clock.fixed_at = at("2026-11-23 12:00")
