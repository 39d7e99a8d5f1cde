"""Signatures of `sql/queries/idempotency.sql` and `sql/queries/health.sql`."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from app.postgres.statements import Queryable, statement


class StoredResponse(Struct, frozen=True):
    """The response to the first request with an idempotency key."""

    fingerprint: bytes
    status: int
    body: bytes


@statement("idempotency")
async def lock_key(db: Queryable, *, user_id: UUID, route: str, key: str) -> bool: ...


@statement("idempotency")
async def stored_response(
    db: Queryable, *, user_id: UUID, route: str, key: str
) -> StoredResponse | None: ...


@statement("idempotency")
async def store_response(
    db: Queryable,
    *,
    user_id: UUID,
    route: str,
    key: str,
    fingerprint: bytes,
    status: int,
    body: bytes,
) -> None: ...


@statement("health")
async def ping(db: Queryable) -> bool: ...
