"""Letters that a person ends by the link in them, without signing in."""

from __future__ import annotations

from app.email.subscriptions import Subscription, read_token
from app.errors import NotFound
from app.transaction import Transaction
from app.users import statements
from app.users.user import UserId


def subscription_of(secret: str, token: str) -> Subscription:
    """Which letters a token ends.

    Raises:
        NotFound: it is none of ours.
    """
    return _read(secret, token)[1]


async def unsubscribe(tx: Transaction, secret: str, token: str) -> Subscription:
    """End the letters that a token names; once more, or after the account is gone, changes nothing.

    Raises:
        NotFound: it is none of ours.
    """
    user_id, subscription = _read(secret, token)
    await statements.unsubscribe(tx, user_id, subscription)
    return subscription


def _read(secret: str, token: str) -> tuple[UserId, Subscription]:
    read = read_token(secret, token)
    if read is None:
        raise NotFound("There is nothing at this address.")
    return UserId(read[0]), read[1]
