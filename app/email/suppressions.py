"""Addresses that nothing is sent to, as operators see and change them."""

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
    """Whether nothing is sent to this address."""
    return await statements.is_suppressed(db, address=address)


async def list_suppressions(db: Queryable, limit: int) -> list[Suppression]:
    """At most so many, newest first."""
    return await statements.list_suppressions(db, limit=limit)


async def lift(tx: Transaction, address: str, *, by: str) -> None:
    """Send to an address again. Emails that were held back stay so; the next one goes.

    Raises:
        NotFound: it was not suppressed.
    """
    if await statements.lift_suppression(tx, address=address) is None:
        raise NotFound("This address is not suppressed.")
    log.info("operator.lifted_suppression", by=by)


async def suppress_all(tx: Transaction, addresses: Sequence[str], reason: str, *, by: str) -> int:
    """Send nothing to these any more; how many of them were new."""
    added = await statements.suppress_all(tx, addresses=addresses, reason=reason)
    log.info("operator.suppressed", addresses=added, by=by)
    return added
