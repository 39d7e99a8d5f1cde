"""The emails that accounts cause: who is written to, and what is said."""

from __future__ import annotations

from datetime import timedelta
from typing import Self, TypeVar

from app.email import Email, EmailSender, Recipient, deliver, one_line
from app.jobs import Job, Run, handles
from app.postgres.database import Transaction
from app.settings import Rate
from app.users import statements
from app.users.email_links import CONFIRMATION_LIFETIME, RESET_LIFETIME, issue_token
from app.users.statements import AccountSettings
from app.users.user import ResetRequestId, UserId


class WelcomeEmail(Job, frozen=True):
    """Send the welcome email with the confirmation link."""

    kind = "email:welcome"
    queue = "critical"

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


class ConfirmationEmail(Job, frozen=True):
    """Send another confirmation link."""

    kind = "email:confirmation"
    queue = "critical"
    expires_in = timedelta(days=1)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


class PasswordResetEmail(Job, frozen=True):
    """Sends the owner of an address, if it has one, the link under which a password is chosen."""

    kind = "email:password_reset"
    queue = "critical"
    expires_in = timedelta(hours=1)

    request_id: ResetRequestId

    @property
    def unique_key(self) -> str:
        return str(self.request_id)


SAMPLE_URL = "https://activelog.example"
SAMPLE_TOKEN = "u3w9Xk0c2tqP5Zb7Yd1fGhJ4LmN6RsTvAeBiCoDuEfI"
"""It opens nothing."""


class Welcome(Email, frozen=True):
    """Greets a new person and carries the link that confirms the address."""

    template = "welcome"

    name: str
    confirm_url: str
    days: int
    """How long the link works."""

    @classmethod
    def sample(cls) -> Self:
        url = f"{SAMPLE_URL}/confirm/{SAMPLE_TOKEN}"
        return cls(name="Ada Lovelace", confirm_url=url, days=CONFIRMATION_LIFETIME.days)


class Confirmation(Email, frozen=True):
    """Carries another link that confirms the address, which may be a stranger's."""

    template = "confirmation"
    at_most = Rate(6, timedelta(days=1))

    name: str
    confirm_url: str
    days: int
    """How long the link works."""

    @classmethod
    def sample(cls) -> Self:
        url = f"{SAMPLE_URL}/confirm/{SAMPLE_TOKEN}"
        return cls(name="Ada Lovelace", confirm_url=url, days=CONFIRMATION_LIFETIME.days)


class PasswordReset(Email, frozen=True):
    """Carries the link under which a new password is chosen."""

    template = "password_reset"

    name: str
    reset_url: str
    minutes: int
    """How long the link works."""

    @classmethod
    def sample(cls) -> Self:
        return cls(name="Ada Lovelace", reset_url=f"{SAMPLE_URL}/reset/{SAMPLE_TOKEN}", minutes=60)


L = TypeVar("L", Welcome, Confirmation)


@handles(WelcomeEmail)
async def welcome(job: WelcomeEmail, run: Run, sender: EmailSender) -> None:
    """Welcome a person, once. Someone who has left in the meantime is not written to.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        account = await statements.account_settings(tx, user_id=job.user_id)
    if account is None:
        await run.finish_with_note("the account was deleted")
        return
    await _deliver_link(run, sender, account, Welcome, str(job.user_id))


@handles(ConfirmationEmail)
async def confirmation(job: ConfirmationEmail, run: Run, sender: EmailSender) -> None:
    """Send a person the link that confirms the address, if it is not confirmed yet.

    Each job of it is a unique key of its own.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        account = await statements.account_settings(tx, user_id=job.user_id)
    if account is None or account.confirmed_at is not None:
        await run.finish_with_note("the address is already confirmed, or the account was deleted")
        return
    await _deliver_link(run, sender, account, Confirmation, str(run.job_id))


async def _deliver_link(
    run: Run, sender: EmailSender, account: AccountSettings, email: type[L], unique_key: str
) -> None:
    async def write(tx: Transaction) -> L:
        token = await issue_token(tx, account.id, "confirm", CONFIRMATION_LIFETIME)
        return email(
            name=one_line(account.name),
            confirm_url=f"{sender.config.app_url}/confirm/{token}",
            days=CONFIRMATION_LIFETIME.days,
        )

    recipient = Recipient(account.id, account.name, account.email)
    await deliver(run, sender, recipient, email, write, unique_key=unique_key)


@handles(PasswordResetEmail)
async def password_reset(job: PasswordResetEmail, run: Run, sender: EmailSender) -> None:
    """Send a link to the owner of the address of a request; no owner: nothing to do.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        await statements.remove_old_reset_requests(tx)
        account = await statements.reset_requester(tx, request_id=job.request_id)
    if account is None:
        await run.finish_with_note("no account has this address, or the request has expired")
        return

    async def write(tx: Transaction) -> PasswordReset:
        token = await issue_token(tx, account.id, "reset", RESET_LIFETIME)
        return PasswordReset(
            name=one_line(account.name),
            reset_url=f"{sender.config.app_url}/reset/{token}",
            minutes=int(RESET_LIFETIME.total_seconds() // 60),
        )

    recipient = Recipient(account.id, account.name, account.email)
    await deliver(run, sender, recipient, PasswordReset, write, unique_key=str(job.request_id))
