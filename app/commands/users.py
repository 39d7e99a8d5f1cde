"""`python -m app create-admin`: create an operator."""

from __future__ import annotations

import sys
from getpass import getpass

from app.commands.options import BY_CLI, InjectedResources, validated
from app.users.accounts import create_admin as create_admin_account
from app.users.accounts import make_admin
from app.users.passwords import Passwords
from app.users.user import EmailAddress, Password


async def create_admin(email: str, /, *, resources: InjectedResources) -> str:
    """Make an account an operator, or create an operator account.

    Args:
        email: The address of the account. The command prompts for a new account's password, or
            reads it from standard input if that is not a terminal.
    """
    email = validated(email, EmailAddress)
    async with resources.database.transaction() as tx:
        if await make_admin(tx, email, by=BY_CLI):
            return "the user is now an operator; their password is unchanged"
    password = validated(_ask_password(), Password)
    password_hash = await Passwords().hash_new(password, about=[email])
    async with resources.database.transaction() as tx:
        await create_admin_account(tx, email, password_hash, by=BY_CLI)
    return "operator account created"


def _ask_password() -> str:
    if sys.stdin.isatty():
        return getpass("Password for the new operator: ")
    return sys.stdin.readline().rstrip("\r\n")
