"""The links in account emails: one-time tokens, and confirming an address with one.

The holder has the token; the database stores only its hash.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Literal

from app import jobs
from app.email.suppressions import is_suppressed
from app.errors import Conflict, Gone
from app.postgres.database import Transaction
from app.rate_limits import Rates
from app.users import statements
from app.users.accounts import profile_of
from app.users.jobs import ConfirmationEmail
from app.users.login_limits import admit_confirmation
from app.users.user import Profile, UserId

Purpose = Literal["confirm", "reset"]


def new_token() -> str:
    """32 random bytes, in characters that a URL and a header carry unchanged."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored. The token is random, so a fast hash without a salt is enough."""
    return sha256(token.encode()).digest()


async def issue_token(
    tx: Transaction, user_id: UserId, purpose: Purpose, lifetime: timedelta
) -> str:
    """Make a token that can be used once, and return it for the one time it can be read."""
    token = new_token()
    await statements.add_token(tx, token_hash(token), user_id, purpose, lifetime)
    return token


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
