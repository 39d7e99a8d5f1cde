"""Helpers that add many users, and activities for them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.postgres.database import Database
from app.users.user import UserId


async def add_users(database: Database, count: int) -> list[UserId]:
    """Add users with confirmed addresses, and return their ids, sorted."""
    rows = await database.fetch(
        "insert into users (email, name, password_hash, confirmed_at)"
        " select 'user' || n || '@example.com', 'User ' || n, 'no hash', now()"
        " from generate_series(1, $1::int) as n returning id",
        count,
    )
    return sorted(UserId(row["id"]) for row in rows)


async def add_run_for_everyone(database: Database, at: datetime) -> None:
    """Add a run at this time for every user."""
    await database.execute(
        "insert into activities (user_id, type, started_at, duration_s, distance_m, calories)"
        " select id, 'run', $1, 1800, 5000, 300 from users",
        at,
    )


async def add_run(database: Database, user_id: UUID, at: datetime, metres: float = 5000) -> UUID:
    """Add a run with SQL, as a data import would, and return its id."""
    return UUID(
        str(
            await database.fetchval(
                "insert into activities"
                " (user_id, type, started_at, duration_s, distance_m, calories)"
                " values ($1, 'run', $2, 1800, $3, 300) returning id",
                user_id,
                at,
                metres,
            )
        )
    )
