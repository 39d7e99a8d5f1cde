"""`python -m app email`: try the mail settings, and see to the suppressed addresses."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from app.commands.parsing import BY, Answer, Arguments, add, checked, group, limit
from app.email import suppressions
from app.email.trial import send_trial
from app.errors import Failure, Invalid
from app.resources import Resources
from app.smtp import Ambiguous, Refused, TemporarilyRefused
from app.users.user import Email


def declare(commands: Any) -> None:
    """Add `email` and its subcommands."""
    email = group(commands.add_parser("email", help="try the mail settings, lift suppressions"))
    trial = add(email, "test", _test, "send a test letter now")
    trial.add_argument("address", metavar="ADDRESS")
    kept = group(email.add_parser("suppressions", help="addresses that nothing is sent to"))
    listing = add(kept, "list", _list, "list them, newest first")
    listing.add_argument("--limit", type=limit, default=50)
    lifting = add(kept, "lift", _lift, "send to an address again")
    lifting.add_argument("address", metavar="ADDRESS")
    adding = add(kept, "import", _import, "suppress the addresses of a file, all or none")
    adding.add_argument("file", metavar="FILE", help="an address a line; - reads what is piped in")
    adding.add_argument("--reason", default="imported by an operator")


async def _test(resources: Resources, arguments: Arguments) -> Answer:
    address, begun = checked(arguments.address, Email), monotonic()
    try:
        await send_trial(resources.post, address, datetime.now(UTC))
    except (Refused, TemporarilyRefused, Ambiguous) as refusal:
        raise Failure(str(refusal)) from None
    return f"{resources.post.mailer.server} took it in {monotonic() - begun:.1f} s"


async def _list(resources: Resources, arguments: Arguments) -> Answer:
    return await suppressions.list_suppressions(resources.database, arguments.limit)


async def _lift(resources: Resources, arguments: Arguments) -> Answer:
    async with resources.database.transaction() as tx:
        await suppressions.lift(tx, arguments.address, by=BY)
    return "letters go to this address again"


async def _import(resources: Resources, arguments: Arguments) -> Answer:
    addresses = _addresses(arguments.file)
    async with resources.database.transaction() as tx:
        added = await suppressions.suppress_all(tx, addresses, arguments.reason, by=BY)
    return f"{added} of {len(addresses)} are new"


def _addresses(file: str) -> list[str]:
    """
    Raises:
        Invalid: the file cannot be read, or a line of it is no address.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}.") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    for number, line in lines:
        try:
            msgspec.convert(line or "nobody@example.com", Email)
        except msgspec.ValidationError:
            raise Invalid(f"Line {number} is no address. Nothing was imported.") from None
    return list(dict.fromkeys(line.lower() for _, line in lines if line))
