"""`python -m app create-admin`: the first operator, and any other."""

from __future__ import annotations

import sys
from getpass import getpass

from app.commands.options import BY, Given, checked
from app.users.accounts import create_admin as create
from app.users.accounts import make_admin
from app.users.passwords import Passwords
from app.users.user import Email, Password


async def create_admin(email: str, /, *, resources: Given) -> str:
    """Give an account an operator's rights, or create one that has them.

    Args:
        email: The address of the account. For a new one you are asked for a password.
    """
    email = checked(email, Email)
    async with resources.database.transaction() as tx:
        if await make_admin(tx, email, by=BY):
            return "the account has an operator's rights now; its password is unchanged"
    password = checked(_ask_password(), Password)
    password_hash = await Passwords().hash(password)
    async with resources.database.transaction() as tx:
        await create(tx, email, password_hash, by=BY)
    return "the operator can sign in now"


def _ask_password() -> str:
    if sys.stdin.isatty():
        return getpass("Password of the new operator: ")
    return sys.stdin.readline().rstrip("\r\n")
