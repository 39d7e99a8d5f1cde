"""`python -m app email`: test the email settings and manage suppressed addresses."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from app.commands.options import BY_CLI, InjectedResources, Json, Limit, render, validated
from app.email.emails import send_test_email
from app.email.smtp import Ambiguous, Refused, TemporarilyRefused
from app.email.suppressions import lift as lift_suppression
from app.email.suppressions import list_suppressions, suppress_all
from app.errors import Failure, Invalid
from app.users.user import EmailAddress

app = App(name="email", help="Test the email settings, and manage suppressed addresses.")
suppressions = App(name="suppressions", help="List, lift and import suppressions.")
app.command(suppressions)


@app.command
async def test(address: str, /, *, resources: InjectedResources) -> str:
    """Send a test email now.

    Args:
        address: The recipient.
    """
    address, started_at = validated(address, EmailAddress), monotonic()
    try:
        await send_test_email(resources.sender, address, datetime.now(UTC))
    except (Refused, TemporarilyRefused, Ambiguous) as error:
        raise Failure(str(error)) from None
    seconds = monotonic() - started_at
    return f"{resources.sender.smtp_pool.server} accepted the email in {seconds:.1f} s"


@suppressions.command(name="list")
async def list_(*, limit: Limit = 50, json: Json = False, resources: InjectedResources) -> str:
    """List the suppressed addresses, newest first."""
    return render(await list_suppressions(resources.database, limit), json=json)


@suppressions.command
async def lift(address: str, /, *, resources: InjectedResources) -> str:
    """Allow emails to an address again.

    Args:
        address: A suppressed address.
    """
    async with resources.database.transaction() as tx:
        await lift_suppression(tx, address, by=BY_CLI)
    return "emails to this address are allowed again"


@suppressions.command(name="import")
async def import_(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    reason: str = "imported by an operator",
    resources: InjectedResources,
) -> str:
    """Suppress the addresses in a file: all of them, or none if a line is invalid.

    Args:
        file: A file with one address per line, or `-` for standard input.
        reason: Shown in the list of suppressions.
    """
    addresses = _read_addresses(file)
    async with resources.database.transaction() as tx:
        added = await suppress_all(tx, addresses, reason, by=BY_CLI)
    return f"suppressed {len(addresses)} addresses, {added} of them new"


def _read_addresses(file: str) -> list[str]:
    """Read the distinct addresses in a file.

    Raises:
        Invalid: the file cannot be read, or a line is not an address.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"Cannot read {file}: {getattr(error, 'strerror', None) or error}.") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    for number, line in lines:
        try:
            msgspec.convert(line or "nobody@example.com", EmailAddress)
        except msgspec.ValidationError:
            raise Invalid(f"Line {number} is not an address. Nothing was imported.") from None
    return list(dict.fromkeys(line.lower() for _, line in lines if line))
