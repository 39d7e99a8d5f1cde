"""What a person who is signed in does with their own password."""

from __future__ import annotations

from app.errors import Forbidden
from app.postgres.query import Queryable
from app.transaction import Transaction
from app.users import statements
from app.users.passwords import Passwords
from app.users.statements import Credentials
from app.users.user import UserId

WRONG = "The password is wrong."


async def check_own_password(
    db: Queryable, passwords: Passwords, user_id: UserId, password: str
) -> Credentials:
    """Make sure that it is the person who holds the token. Not to be called in a transaction.

    Raises:
        Forbidden: the password is wrong, or the account is gone.
    """
    found = await statements.credentials(db, user_id)
    matches = await passwords.verify(password, found.password_hash if found else None)
    if found is None or not matches:
        raise Forbidden(WRONG)
    return found


async def change_password(tx: Transaction, checked: Credentials, password_hash: str) -> None:
    """Replace a checked password. All sessions end, and so do links that were sent before.

    Raises:
        Forbidden: the password has changed since the check.
    """
    if not await statements.change_password(tx, checked.id, checked.password_hash, password_hash):
        raise Forbidden(WRONG)
    await statements.remove_sessions(tx, checked.id)
    await statements.void_tokens(tx, checked.id, "reset")
