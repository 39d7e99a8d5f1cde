"""Fixtures for the export tests."""

from __future__ import annotations

import pytest

from app.resources import Resources


@pytest.fixture
async def resources(resources: Resources) -> Resources:
    """Return resources whose pool for exports already holds an open connection.

    On a busy machine, opening a connection may take longer than a download waits for one.
    """
    async with resources.snapshots.pool.acquire():
        return resources
