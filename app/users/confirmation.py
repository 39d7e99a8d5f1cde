"""Confirming that a person reads the mail of their account."""

from __future__ import annotations

from datetime import timedelta

from app.errors import Gone
from app.transaction import Transaction
from app.users import statements
from app.users.tokens import token_hash

LIFETIME = timedelta(days=7)
"""How long the link of a welcome letter works: it opens nothing, and letters are read late."""


async def confirm(tx: Transaction, token: str) -> None:
    """Spend a token of purpose `confirm`.

    Raises:
        Gone: it is unknown, used or expired; the three are not told apart.
    """
    user_id = await statements.use_token(tx, token_hash(token), "confirm")
    if user_id is None:
        raise Gone("This link has been used or has expired.")
    await statements.confirm_address(tx, user_id)
