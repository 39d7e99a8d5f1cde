"""Suppressed addresses, which get no email: how operators list, add and remove them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from app.email import statements
from app.email.statements import Suppression
from app.errors import NotFound
from app.postgres.database import Transaction
from app.postgres.statements import Queryable

log = structlog.get_logger(__name__)


async def is_suppressed(db: Queryable, address: str) -> bool:
    """Tell whether an address is suppressed."""
    return await statements.is_suppressed(db, address=address)


async def list_suppressions(db: Queryable, limit: int) -> list[Suppression]:
    """Return at most `limit` suppressed addresses, newest first."""
    return await statements.list_suppressions(db, limit=limit)


async def lift(tx: Transaction, address: str, *, by: str) -> None:
    """Allow emails to an address again. Emails that have been withheld are still not sent.

    Raises:
        NotFound: the address is not suppressed.
    """
    if await statements.lift_suppression(tx, address=address) is None:
        raise NotFound("This address is not suppressed.")
    log.info("operator.lifted_suppression", by=by)


async def suppress_all(tx: Transaction, addresses: Sequence[str], reason: str, *, by: str) -> int:
    """Suppress these addresses, and return how many of them were not suppressed before."""
    added = await statements.suppress_all(tx, addresses=addresses, reason=reason)
    log.info("operator.suppressed_addresses", added=added, by=by)
    return added
