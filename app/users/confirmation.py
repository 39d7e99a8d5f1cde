"""Confirming that a person reads the mail of their account."""

from __future__ import annotations

from datetime import timedelta

from app import jobs
from app.errors import Conflict, Gone
from app.transaction import Transaction
from app.users import statements
from app.users.jobs import ConfirmationEmail
from app.users.profile import profile_of
from app.users.tokens import token_hash
from app.users.user import Profile, UserId

LIFETIME = timedelta(days=7)
"""How long the link of a letter works: it opens nothing, and letters are read late."""


async def ask_for_letter(tx: Transaction, user_id: UserId) -> Profile:
    """Have another link sent to a person whose letter was lost or has expired.

    The links that they have keep working. While a letter is on its way, no second one is made.

    Raises:
        Conflict: the address is confirmed.
        NotFound: the account was deleted.
    """
    profile = await profile_of(tx, user_id)
    if profile.confirmed_at is not None:
        raise Conflict("Your address is confirmed already.")
    await jobs.enqueue(tx, ConfirmationEmail(user_id=user_id))
    return profile


async def confirm(tx: Transaction, token: str) -> None:
    """Spend a token of purpose `confirm`.

    Raises:
        Gone: it is unknown, used or expired; the three are not told apart.
    """
    user_id = await statements.use_token(tx, token_hash(token), "confirm")
    if user_id is None:
        raise Gone("This link has been used or has expired. Sign in and ask for another.")
    await statements.confirm_address(tx, user_id)
