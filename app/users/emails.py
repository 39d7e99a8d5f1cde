"""The account emails: welcome, confirmation, its reminder and password reset."""

from __future__ import annotations

from datetime import timedelta
from typing import Self, TypeVar

from app.email import Email, EmailSender, Recipient, deliver, one_line
from app.email.formatting import day
from app.jobs import Job, Run, handles
from app.postgres.database import Transaction
from app.settings import Rate
from app.users import statements
from app.users.email_links import CONFIRMATION_LIFETIME, RESET_LIFETIME, issue_token
from app.users.statements import AccountSettings
from app.users.user import ResetRequestId, UserId


class SendWelcomeEmail(Job, frozen=True):
    """Send the welcome email with the confirmation link."""

    kind = "email:welcome"
    queue = "critical"

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


class SendConfirmationEmail(Job, frozen=True):
    """Send another confirmation link."""

    kind = "email:confirmation"
    queue = "critical"
    expires_in = timedelta(days=1)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


class SendConfirmationReminderEmail(Job, frozen=True):
    """Remind a user to confirm their address, before the account is erased."""

    kind = "email:confirmation_reminder"
    expires_in = timedelta(days=2)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


class SendPasswordResetEmail(Job, frozen=True):
    """Send a password-reset link to an address, if it has an account."""

    kind = "email:password_reset"
    queue = "critical"
    expires_in = timedelta(hours=1)

    request_id: ResetRequestId

    @property
    def unique_key(self) -> str:
        return str(self.request_id)


SAMPLE_URL = "https://activelog.example"
SAMPLE_TOKEN = "u3w9Xk0c2tqP5Zb7Yd1fGhJ4LmN6RsTvAeBiCoDuEfI"
"""A made-up token."""


class Welcome(Email, frozen=True):
    """The welcome email, with the link that confirms the address."""

    template = "welcome"
    reaches = "anyone"

    name: str
    confirm_url: str
    days: int
    """How long the link works."""

    @classmethod
    def sample(cls) -> Self:
        url = f"{SAMPLE_URL}/confirm/{SAMPLE_TOKEN}"
        return cls(name="Ada Lovelace", confirm_url=url, days=CONFIRMATION_LIFETIME.days)


class Confirmation(Email, frozen=True):
    """Another confirmation link. The address may be a stranger's, hence the limit."""

    template = "confirmation"
    reaches = "anyone"
    limit_per_person = Rate(6, timedelta(days=1))

    name: str
    confirm_url: str
    days: int
    """How long the link works."""

    @classmethod
    def sample(cls) -> Self:
        url = f"{SAMPLE_URL}/confirm/{SAMPLE_TOKEN}"
        return cls(name="Ada Lovelace", confirm_url=url, days=CONFIRMATION_LIFETIME.days)


class ConfirmationReminder(Email, frozen=True):
    """A last confirmation link, with the day after which the account is erased."""

    template = "confirmation_reminder"
    reaches = "anyone"

    name: str
    confirm_url: str
    days: int
    """How long the link works."""
    erase_on: str

    @classmethod
    def sample(cls) -> Self:
        url = f"{SAMPLE_URL}/confirm/{SAMPLE_TOKEN}"
        days = CONFIRMATION_LIFETIME.days
        erase_on = "Thursday, 26 November"
        return cls(name="Ada Lovelace", confirm_url=url, days=days, erase_on=erase_on)


class PasswordReset(Email, frozen=True):
    """The email with the link to choose a new password."""

    template = "password_reset"
    reaches = "anyone"
    may_use_reserve = True

    name: str
    reset_url: str
    minutes: int
    """How long the link works."""

    @classmethod
    def sample(cls) -> Self:
        return cls(name="Ada Lovelace", reset_url=f"{SAMPLE_URL}/reset/{SAMPLE_TOKEN}", minutes=60)


LinkEmail = TypeVar("LinkEmail", Welcome, Confirmation)


@handles(SendWelcomeEmail)
async def send_welcome_email(job: SendWelcomeEmail, run: Run, sender: EmailSender) -> None:
    """Send the welcome email once, unless the account has been deleted.

    Raises:
        The same exceptions as `deliver`.
    """
    async with run.transaction() as tx:
        account = await statements.account_settings(tx, user_id=job.user_id)
    if account is None:
        await run.finish_with_note("the account was deleted")
        return
    await _deliver_link(run, sender, account, Welcome, str(job.user_id))


@handles(SendConfirmationEmail)
async def send_confirmation_email(
    job: SendConfirmationEmail, run: Run, sender: EmailSender
) -> None:
    """Send a confirmation link, unless the address has already been confirmed.

    Each job sends its own email: the job's id is the email's unique key.

    Raises:
        The same exceptions as `deliver`.
    """
    async with run.transaction() as tx:
        account = await statements.account_settings(tx, user_id=job.user_id)
    if account is None or account.confirmed_at is not None:
        await run.finish_with_note("the address is already confirmed, or the account was deleted")
        return
    await _deliver_link(run, sender, account, Confirmation, str(run.job_id))


async def _deliver_link(
    run: Run, sender: EmailSender, account: AccountSettings, email: type[LinkEmail], unique_key: str
) -> None:
    async def write(tx: Transaction) -> LinkEmail:
        token = await issue_token(tx, account.id, "confirm", CONFIRMATION_LIFETIME)
        return email(
            name=one_line(account.name),
            confirm_url=f"{sender.config.app_url}/confirm/{token}",
            days=CONFIRMATION_LIFETIME.days,
        )

    recipient = Recipient(account.id, account.name, account.email)
    await deliver(run, sender, recipient, email, write, unique_key=unique_key)


@handles(SendConfirmationReminderEmail)
async def confirmation_reminder(
    job: SendConfirmationReminderEmail, run: Run, sender: EmailSender
) -> None:
    """Remind a user once to confirm their address, unless they have.

    Raises:
        The same exceptions as `deliver`.
    """
    async with run.transaction() as tx:
        account = await statements.account_settings(tx, user_id=job.user_id)
    if account is None or account.confirmed_at is not None:
        await run.finish_with_note("the address is already confirmed, or the account was deleted")
        return
    # Without a date, this is the first confirmation email, which starts the seven days.
    erase_at = account.erase_at or run.claimed.started_at + timedelta(days=7)

    async def write(tx: Transaction) -> ConfirmationReminder:
        token = await issue_token(tx, account.id, "confirm", CONFIRMATION_LIFETIME)
        return ConfirmationReminder(
            name=one_line(account.name),
            confirm_url=f"{sender.config.app_url}/confirm/{token}",
            days=CONFIRMATION_LIFETIME.days,
            erase_on=day(erase_at.date()),
        )

    recipient = Recipient(account.id, account.name, account.email)
    await deliver(run, sender, recipient, ConfirmationReminder, write, unique_key=str(job.user_id))


@handles(SendPasswordResetEmail)
async def send_password_reset_email(
    job: SendPasswordResetEmail, run: Run, sender: EmailSender
) -> None:
    """Send a password-reset link, if an account has the address in the request.

    Raises:
        The same exceptions as `deliver`.
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
