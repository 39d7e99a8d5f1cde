"""The letters that accounts cause: who is written to, and what is said."""

from __future__ import annotations

from app.email import Letter, Recipient, Stationery, deliver, one_line
from app.jobs import Run
from app.smtp import Mailer
from app.transaction import Transaction
from app.users import statements
from app.users.confirmation import LIFETIME
from app.users.tokens import issue_token
from app.users.user import UserId


class Welcome(Letter, frozen=True):
    """Greets a new person and carries the link that confirms the address."""

    letter = "welcome"

    name: str
    confirm_url: str
    days: int
    """How long the link works."""


async def welcome(run: Run, mailer: Mailer, stationery: Stationery, user_id: UserId) -> None:
    """Welcome a person, once. Someone who has left in the meantime is not written to.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        account = await statements.account_settings(tx, user_id)
    if account is None:
        return

    async def write(tx: Transaction) -> Welcome:
        token = await issue_token(tx, user_id, "confirm", LIFETIME)
        return Welcome(
            name=one_line(account.name),
            confirm_url=f"{stationery.app_url}/confirm/{token}",
            days=LIFETIME.days,
        )

    recipient = Recipient(account.id, account.name, account.email)
    await deliver(run, mailer, stationery, recipient, Welcome, write, occasion=str(user_id))
