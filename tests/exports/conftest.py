"""Exports, on a machine of any speed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.resources import Resources
from app.s3 import open_bucket
from tests.kit.raw_s3 import UNHURRIED


@pytest.fixture
async def resources(resources: Resources) -> AsyncIterator[Resources]:
    """As in all tests, but the bucket has long timeouts, and one connection is open for exports:
    a busy machine may take longer to open one than a reader waits."""
    async with resources.snapshots.pool.acquire():
        pass
    async with open_bucket(resources.settings.bucket, timeouts=UNHURRIED) as bucket:
        yield replace(resources, bucket=bucket)
