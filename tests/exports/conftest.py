"""What the tests of exports share."""

from __future__ import annotations

import pytest

from app.resources import Resources


@pytest.fixture
async def resources(resources: Resources) -> Resources:
    """As in all tests, with an open connection for exports: a busy machine may take longer to open
    one than a reader waits for it."""
    async with resources.snapshots.pool.acquire():
        return resources
