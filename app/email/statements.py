"""Signatures for the statements in `sql/queries/emails.sql`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NewType
from uuid import UUID

import msgspec

from app.jobs import JobId
from app.postgres.statements import Queryable, statement

EmailId = NewType("EmailId", UUID)


class DeliveryAttempt(msgspec.Struct, frozen=True):
    """An attempt to send an email, as the delivery ledger records it."""

    id: EmailId
    state: Literal["sending", "suppressed"]
    attempts: int
    """How many attempts there have been, including this one."""
    doubts: int
    """How many sends got no reply to the content, so the server may have accepted them."""
    date: datetime
    """When this attempt started, by Postgres's clock."""


class Suppression(msgspec.Struct, frozen=True):
    """An address that gets no email, and why."""

    address: str
    created_at: datetime
    reason: str


@statement("emails")
async def claim_email(
    db: Queryable,
    *,
    recipient_id: UUID,
    template: str,
    unique_key: str,
    job_id: JobId,
    message_id: str,
    address: str,
    reaches_anyone: bool,
    lease: timedelta,
) -> DeliveryAttempt | None: ...


@statement("emails")
async def may_claim_email(
    db: Queryable,
    *,
    recipient_id: UUID,
    template: str,
    unique_key: str,
    address: str,
    reaches_anyone: bool,
) -> bool: ...


@statement("emails")
async def email_lease(
    db: Queryable, *, recipient_id: UUID, template: str, unique_key: str
) -> timedelta | None: ...


@statement("emails")
async def email_sent_at(
    db: Queryable, *, recipient_id: UUID, template: str, unique_key: str
) -> datetime | None: ...


@statement("emails")
async def lock_emails(db: Queryable, *, template: str, recipient_id: UUID) -> None: ...


@statement("emails")
async def remaining_wait(
    db: Queryable,
    *,
    recipient_id: UUID,
    template: str,
    unique_key: str,
    max_count: int,
    period: timedelta,
) -> timedelta | None: ...


@statement("emails")
async def has_confirmed(db: Queryable, *, recipient_id: UUID, address: str) -> bool: ...


@statement("emails")
async def lock_unconfirmed_address(db: Queryable, *, address: str) -> None: ...


@statement("emails")
async def unconfirmed_wait(
    db: Queryable, *, address: str, message_id: str, max_count: int
) -> timedelta | None: ...


@statement("emails")
async def count_unconfirmed_email(db: Queryable, *, address: str, message_id: str) -> None: ...


@statement("emails")
async def attempt_may_send(db: Queryable, *, id: EmailId, attempt: int) -> bool | None: ...


@statement("emails")
async def record_sent(db: Queryable, *, id: EmailId) -> None: ...


@statement("emails")
async def record_failure(
    db: Queryable, *, id: EmailId, attempt: int, error: str, ambiguous: bool
) -> None: ...


@statement("emails")
async def record_refusal(db: Queryable, *, id: EmailId, attempt: int, error: str) -> None: ...


@statement("emails")
async def suppress(db: Queryable, *, address: str, reason: str) -> None: ...


@statement("emails")
async def is_suppressed(db: Queryable, *, address: str) -> bool: ...


@statement("emails")
async def suppress_all(db: Queryable, *, addresses: Sequence[str], reason: str) -> int: ...


@statement("emails")
async def list_suppressions(db: Queryable, *, limit: int) -> list[Suppression]: ...


@statement("emails")
async def lift_suppression(db: Queryable, *, address: str) -> str | None: ...
