"""Opaque tokens. The holder has the token, the database only its hash."""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Literal

from app.transaction import Transaction
from app.users import statements
from app.users.user import UserId

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
