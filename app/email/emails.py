"""The test email: sent immediately, without a job or the delivery ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from app.email.compose import compose
from app.email.delivery import EmailSender
from app.email.email import Email, Recipient

NOBODY = UUID(int=0)


class TestEmail(Email, frozen=True):
    """An email that tells an operator when, through which server and with which key it was sent."""

    template = "test_email"

    sent_at: str
    server: str
    dkim_key: str

    @classmethod
    def sample(cls) -> Self:
        return cls(
            sent_at="2026-11-24 12:00:00 UTC",
            server="smtp.example.com:587 (STARTTLS)",
            dkim_key="mail._domainkey.activelog.example",
        )


async def send_test_email(sender: EmailSender, address: str, now: datetime) -> None:
    """Send a test email, even to a suppressed address.

    Raises:
        Refused, TemporarilyRefused, Ambiguous, Unavailable: see `SmtpPool.send`.
    """
    config = sender.config
    email = TestEmail(
        sent_at=f"{now:%Y-%m-%d %H:%M:%S %Z}",
        server=sender.smtp_pool.server,
        dkim_key=f"{config.dkim.selector}._domainkey.{config.domain}" if config.dkim else "none",
    )
    message = compose(config, Recipient(NOBODY, "", address), email, now.isoformat(), now)
    (to,) = message["To"].addresses
    content = config.serialize(message)
    await sender.smtp_pool.send(
        config.envelope_sender, to.addr_spec, content, before_data=_check_nothing
    )


async def _check_nothing() -> None:
    """Let the email be sent. Other emails check their claim in the ledger at this moment."""
