"""Signing up."""

from __future__ import annotations

from app import jobs
from app.errors import Conflict
from app.transaction import Transaction
from app.users import statements
from app.users.jobs import WelcomeEmail
from app.users.user import Account


async def register(tx: Transaction, email: str, name: str, password_hash: str) -> Account:
    """Create an account and have its owner welcomed by mail.

    Of two who take the same address at once, the second waits for the first to commit.

    Raises:
        Conflict: the address is taken. Nothing is sent.
    """
    account = await statements.add_user(tx, email, name, password_hash)
    if account is None:
        raise Conflict("An account with this e-mail address exists already.")
    await jobs.enqueue(tx, WelcomeEmail(user_id=account.id))
    return account
