"""An email to find out whether emails go out: sent at once, by no job, and kept in no ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from app.email.compose import compose
from app.email.delivery import EmailSender
from app.email.email import Email, Recipient

NOBODY = UUID(int=0)


class Trial(Email, frozen=True):
    """Tells an operator how it was sent."""

    template = "trial"

    sent_at: str
    server: str
    signature: str

    @classmethod
    def sample(cls) -> Self:
        return cls(
            sent_at="2026-11-24 12:00:00 UTC",
            server="smtp.example.com:587 (STARTTLS)",
            signature="mail._domainkey.activelog.example",
        )


async def send_trial(sender: EmailSender, address: str, now: datetime) -> None:
    """Send one, even to a suppressed address.

    Raises:
        Refused, TemporarilyRefused, Ambiguous, Unavailable: what the server did.
    """
    config = sender.config
    email = Trial(
        sent_at=f"{now:%Y-%m-%d %H:%M:%S %Z}",
        server=sender.smtp_pool.server,
        signature=f"{config.dkim.selector}._domainkey.{config.domain}" if config.dkim else "none",
    )
    message = compose(config, Recipient(NOBODY, "", address), email, now.isoformat(), now)
    (to,) = message["To"].addresses
    content = config.sealed(message)
    await sender.smtp_pool.send(config.address, to.addr_spec, content, before_data=_nothing)


async def _nothing() -> None:
    """Nothing can withhold it."""
