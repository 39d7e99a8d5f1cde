"""Fixtures for the migration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest


@pytest.fixture
async def empty_database(database_url: str, worker_index: int) -> AsyncIterator[str]:
    """Create a database without a schema, and return its URL."""
    admin = await asyncpg.connect(database_url)
    await admin.execute(f"drop database if exists migrations_{worker_index}")
    await admin.execute(f"create database migrations_{worker_index}")
    yield urlsplit(database_url)._replace(path=f"/migrations_{worker_index}").geturl()
    await admin.execute(f"drop database migrations_{worker_index} with (force)")
    await admin.close()
