"""Fixtures for the migration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.owner import owner_url


@pytest.fixture
async def empty_database(database_url: str, worker_index: int) -> AsyncIterator[str]:
    """Create a database without a schema, and return its owner's URL."""
    url = owner_url(database_url)
    admin = await asyncpg.connect(url)
    await admin.execute(f"drop database if exists migrations_{worker_index}")
    await admin.execute(f"create database migrations_{worker_index}")
    yield urlsplit(url)._replace(path=f"/migrations_{worker_index}").geturl()
    await admin.execute(f"drop database migrations_{worker_index} with (force)")
    await admin.close()
