"""A new password for whoever reads the mail of the account.

A request is kept under the address, like a friend request: whether anybody has it is found out by
the job, so that neither the answer nor the time it takes tells.
"""

from __future__ import annotations

from datetime import timedelta

from app import jobs
from app.errors import Gone
from app.postgres.query import Queryable
from app.transaction import Transaction
from app.users import statements
from app.users.jobs import PasswordResetEmail
from app.users.tokens import token_hash

LIFETIME = timedelta(hours=1)
"""How long the link of the letter works."""
MOST_AN_HOUR = 3
"""Letters to one address; further requests are taken and change nothing."""


async def ask_for_reset(tx: Transaction, email: str) -> None:
    """Have a link sent to this address, if it is an account's."""
    await statements.hold_address(tx, email)
    request_id = await statements.add_reset_request(tx, email, MOST_AN_HOUR)
    if request_id is not None:
        await jobs.enqueue(tx, PasswordResetEmail(request_id=request_id))


async def check_reset(db: Queryable, token: str) -> None:
    """Make sure that a token would be good now, before anything is asked or hashed for it.

    Raises:
        Gone: it is unknown, used or expired; the three are not told apart.
    """
    if not await statements.token_is_good(db, token_hash(token), "reset"):
        raise _gone()


async def reset_password(tx: Transaction, token: str, password_hash: str) -> None:
    """Spend a token of purpose `reset`: the account has this password, and no sessions.

    Its other reset links are void. The address counts as confirmed, since its mail was read.

    Raises:
        Gone: it is unknown, used or expired; the three are not told apart.
    """
    user_id = await statements.use_token(tx, token_hash(token), "reset")
    if user_id is None or not await statements.set_password(tx, user_id, password_hash):
        raise _gone()
    await statements.confirm_address(tx, user_id)
    await statements.remove_sessions(tx, user_id)
    await statements.void_tokens(tx, user_id, "reset")


def _gone() -> Gone:
    return Gone("This link has been used or has expired.")
