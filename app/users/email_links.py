"""One-time tokens for the links in account emails.

Only the email contains the token; the database stores its hash.
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
"""How long a confirmation link works. Long, because the link gives no access and some people read
their mail late."""
RESET_LIFETIME = timedelta(hours=1)
"""How long a password-reset link works."""

Purpose = Literal["confirm", "reset"]


def new_token() -> str:
    """Return 32 random bytes as characters that need no escaping in a URL or a header."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return the hash to store. A token is random, so a fast hash without a salt is enough."""
    return sha256(token.encode()).digest()


async def issue_token(
    tx: Transaction, user_id: UserId, purpose: Purpose, lifetime: timedelta
) -> str:
    """Create and return a token that can be used once. Only its hash is stored."""
    token = new_token()
    await statements.add_token(
        tx, token_hash=token_hash(token), user_id=user_id, purpose=purpose, lifetime=lifetime
    )
    return token
