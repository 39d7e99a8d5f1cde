"""Fixtures of the tests of exports."""

from __future__ import annotations

import pytest

from app.resources import Resources


@pytest.fixture
async def resources(resources: Resources) -> Resources:
    """Keep an open connection for exports in the pool.

    A busy machine may take longer to open one than a download waits for it.
    """
    async with resources.snapshots.pool.acquire():
        return resources
