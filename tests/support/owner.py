"""The role that owns the tables. The application under test uses another one, as in production."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import asyncpg

from app.postgres.database import Database
from app.postgres.roles import ApplicationRole


def owner_url(database_url: str) -> str:
    """Return the owner's URL for this database."""
    owner = urlsplit(os.environ["TEST_MIGRATIONS_DATABASE_URL"])
    return owner._replace(path=urlsplit(database_url).path).geturl()


def application_role(database_url: str) -> ApplicationRole:
    """Return the role in DATABASE_URL."""
    parts = urlsplit(database_url)
    return ApplicationRole(parts.username or "", parts.password or "")


async def execute_as_owner(database: Database, sql: str, owner: str | None = None) -> None:
    """Run statements that the application may not run, such as DDL.

    Args:
        owner: the owner's URL, if the database is not on the server that all tests use.
    """
    name = await database.fetchval("select current_database()")
    connection = await asyncpg.connect(owner or owner_url(f"postgresql:///{name}"))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
