"""Confirming that a person reads the mail of their account."""

from __future__ import annotations

from datetime import timedelta

from app import jobs
from app.email.suppressions import is_suppressed
from app.errors import Conflict, Gone
from app.rates import Rates
from app.transaction import Transaction
from app.users import statements
from app.users.admission import admit_confirmation
from app.users.jobs import ConfirmationEmail
from app.users.profile import profile_of
from app.users.tokens import token_hash
from app.users.user import Profile, UserId

LIFETIME = timedelta(days=7)
"""How long the link of a letter works: it opens nothing, and letters are read late."""


async def ask_for_confirmation(tx: Transaction, rates: Rates, user_id: UserId) -> Profile:
    """Have another link sent to a person whose letter was lost, or whose link has expired.

    The links that they have keep working. While such a letter is on its way, no second one is made
    or counted.

    Raises:
        Conflict: the address is confirmed, or suppressed.
        TooMany: it was sent enough of them lately.
        NotFound: the account was deleted.
    """
    profile = await profile_of(tx, user_id)
    if profile.confirmed_at is not None:
        raise Conflict("Your address is confirmed already.")
    if await is_suppressed(tx, profile.email):
        raise Conflict(
            "Nothing is sent to your address any more: letters to it came back, or somebody asked"
            " for that. Whoever runs this service can lift it."
        )
    if await jobs.enqueue(tx, ConfirmationEmail(user_id=user_id)) is not None:
        await admit_confirmation(rates, profile.email)
    return profile


async def confirm(tx: Transaction, token: str) -> None:
    """Spend a token of purpose `confirm`.

    Raises:
        Gone: it is unknown, used or expired; the three are not told apart.
    """
    user_id = await statements.use_token(tx, token_hash(token), "confirm")
    if user_id is None:
        raise Gone(
            "This link has been used or has expired."
            " If your address is not confirmed yet, sign in and ask for another."
        )
    await statements.confirm_address(tx, user_id)
