"""Fixtures for the email tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.redis import Redis, open_redis
from app.resources import Resources
from tests.support.working import WAIT_LIMIT_S


@pytest.fixture
async def redis(resources: Resources) -> AsyncIterator[Redis]:
    """An empty Redis. Its client's timeouts are as long as any wait in a test."""
    limits = f"socket_timeout={WAIT_LIMIT_S}&socket_connect_timeout={WAIT_LIMIT_S}"
    async with open_redis(f"{resources.settings.redis.url}?{limits}") as client:
        yield client
