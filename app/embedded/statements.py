"""Signatures of the statements in sql/queries/demo.sql."""

from __future__ import annotations

from datetime import date

from app.postgres.statements import Queryable, statement
from app.users.user import UserId


@statement("demo")
async def add_demo_user(
    db: Queryable, *, email: str, name: str, password_hash: str, is_admin: bool
) -> UserId | None: ...


@statement("demo")
async def seed_random(db: Queryable, *, seed: float) -> str: ...


@statement("demo")
async def add_demo_activities(
    db: Queryable, *, user_id: UserId, favourite: str, today: date
) -> None: ...
