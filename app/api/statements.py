"""Signatures of `sql/queries/idempotency.sql` and `sql/queries/health.sql`."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from app.postgres.statements import Queryable, statement


class Answer(Struct, frozen=True):
    fingerprint: bytes
    status: int
    body: bytes


@statement("idempotency")
async def lock_key(db: Queryable, *, user_id: UUID, route: str, key: str) -> bool: ...


@statement("idempotency")
async def answer_for_key(
    db: Queryable, *, user_id: UUID, route: str, key: str
) -> Answer | None: ...


@statement("idempotency")
async def keep_answer(
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
async def postgres_answers(db: Queryable) -> bool: ...
