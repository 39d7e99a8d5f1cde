"""`python -m app create-admin`: the first operator, and any other."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Any

import msgspec

from app.commands.parsing import BY, Answer, Arguments, add
from app.errors import Invalid
from app.resources import Resources
from app.users.administration import create_admin, make_admin
from app.users.passwords import Passwords
from app.users.user import Email, Password


def declare(commands: Any) -> None:
    """Add `create-admin`."""
    admin = add(commands, "create-admin", _create_admin, "make an account an operator's")
    admin.add_argument("email", metavar="EMAIL", help="an account's, or a new one's")


async def _create_admin(resources: Resources, arguments: Arguments) -> Answer:
    email = _checked(arguments.email, Email)
    async with resources.database.transaction() as tx:
        if await make_admin(tx, email, by=BY):
            return "the account is an operator's now; its password is what it was"
    password = _checked(_ask_password(), Password)
    password_hash = await Passwords().hash(password)
    async with resources.database.transaction() as tx:
        await create_admin(tx, email, password_hash, by=BY)
    return "the operator can sign in now"


def _checked(text: str, kind: object) -> str:
    """
    Raises:
        Invalid: the text is none of that kind, with the kind's own description.
    """
    try:
        return str(msgspec.convert(text, kind))
    except msgspec.ValidationError:
        description = msgspec.json.schema(kind)["description"]
        raise Invalid(f"This is not {description[0].lower()}{description[1:]}") from None


def _ask_password() -> str:
    if sys.stdin.isatty():
        return getpass("Password of the new operator: ")
    return sys.stdin.readline().rstrip("\r\n")
