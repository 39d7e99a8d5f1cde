"""Operators: who they are, and how they find people."""

from __future__ import annotations

from uuid import UUID

import structlog

from app.errors import Invalid
from app.postgres.query import Queryable
from app.transaction import Transaction
from app.users import statements
from app.users.user import UserId

log = structlog.get_logger(__name__)


async def find_user(db: Queryable, id_or_email: str) -> UserId:
    """Whose id or address this is. An id is not looked up: jobs outlive whom they were about.

    Raises:
        Invalid: it is no id, and no account has this address.
    """
    try:
        return UserId(UUID(id_or_email))
    except ValueError:
        user_id = await statements.user_id_by_email(db, id_or_email)
    if user_id is None:
        raise Invalid("No account has this id or address.", field="user")
    return user_id


async def find_account(db: Queryable, id_or_email: str) -> UserId:
    """The account that has this id or address. A deleted one counts until it is erased.

    Raises:
        Invalid: there is none.
    """
    user_id = await find_user(db, id_or_email)
    if not await statements.account_exists(db, user_id):
        raise Invalid("No account has this id or address.", field="user")
    return user_id


async def make_admin(tx: Transaction, email: str, *, by: str) -> bool:
    """Make the account of this address an operator's. False: there is none."""
    user_id = await statements.make_admin(tx, email)
    if user_id is None:
        return False
    log.info("operator.made_admin", user=str(user_id), by=by)
    return True


async def create_admin(tx: Transaction, email: str, password_hash: str, *, by: str) -> None:
    """Create an operator, whose address counts as confirmed. An account that has appeared since
    it was looked for becomes an operator's and keeps its password."""
    user_id = await statements.add_admin(tx, email, password_hash)
    log.info("operator.created_admin", user=str(user_id), by=by)
