"""Signatures for the statements in `sql/queries/roles.sql`."""

from __future__ import annotations

from msgspec import Struct

from app.postgres.statements import Queryable, statement


class RoleState(Struct, frozen=True):
    """What the owner of the tables can see of the application's role."""

    present: bool
    owner: bool
    excessive: bool
    may_create: bool


@statement("roles")
async def check_role(db: Queryable, *, name: str) -> RoleState: ...


@statement("roles")
async def create_role(db: Queryable, *, name: str, verifier: str) -> None: ...


@statement("roles")
async def grant_rows(db: Queryable, *, name: str) -> None: ...
