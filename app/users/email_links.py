"""The links in account emails: one-time tokens, and confirming an address with one.

The holder has the token; the database stores only its hash.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Literal

from app.postgres.database import Transaction
from app.users import statements
from app.users.user import UserId

CONFIRMATION_LIFETIME = timedelta(days=7)
"""How long a confirmation link works: it opens nothing, and emails are read late."""
RESET_LIFETIME = timedelta(hours=1)
"""How long a password-reset link works."""


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
    await statements.add_token(
        tx, token_hash=token_hash(token), user_id=user_id, purpose=purpose, lifetime=lifetime
    )
    return token
