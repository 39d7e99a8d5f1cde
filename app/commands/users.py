"""`python -m app create-admin`: the first operator, and any other."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Any

from app.commands.parsing import BY, Answer, Arguments, add, checked
from app.resources import Resources
from app.users.administration import create_admin, make_admin
from app.users.passwords import Passwords
from app.users.user import Email, Password


def declare(commands: Any) -> None:
    """Add `create-admin`."""
    admin = add(commands, "create-admin", _create_admin, "make an account an operator's")
    admin.add_argument("email", metavar="EMAIL", help="an account's, or a new one's")


async def _create_admin(resources: Resources, arguments: Arguments) -> Answer:
    email = checked(arguments.email, Email)
    async with resources.database.transaction() as tx:
        if await make_admin(tx, email, by=BY):
            return "the account is an operator's now; its password is what it was"
    password = checked(_ask_password(), Password)
    password_hash = await Passwords().hash(password)
    async with resources.database.transaction() as tx:
        await create_admin(tx, email, password_hash, by=BY)
    return "the operator can sign in now"


def _ask_password() -> str:
    if sys.stdin.isatty():
        return getpass("Password of the new operator: ")
    return sys.stdin.readline().rstrip("\r\n")
