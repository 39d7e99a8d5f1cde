"""A bucket, on a machine of any speed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.resources import Resources
from app.s3 import Bucket, open_bucket
from tests.kit.raw_s3 import UNHURRIED


@pytest.fixture
async def bucket(resources: Resources) -> AsyncIterator[Bucket]:
    """As in all tests, but with long timeouts."""
    async with open_bucket(resources.settings.bucket, timeouts=UNHURRIED) as bucket:
        yield bucket
