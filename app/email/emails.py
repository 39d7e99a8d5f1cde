"""A letter to find out whether letters go out: sent at once, by no job, and kept in no ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from app.email.compose import compose
from app.email.delivery import Post
from app.email.email import Letter, Recipient

NOBODY = UUID(int=0)


class Trial(Letter, frozen=True):
    """Tells an operator how it was sent."""

    letter = "trial"

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


async def send_trial(post: Post, address: str, now: datetime) -> None:
    """Send one, even to a suppressed address.

    Raises:
        Refused, TemporarilyRefused, Ambiguous, Unavailable: what the server did.
    """
    paper = post.stationery
    letter = Trial(
        sent_at=f"{now:%Y-%m-%d %H:%M:%S %Z}",
        server=post.mailer.server,
        signature=f"{paper.dkim.selector}._domainkey.{paper.domain}" if paper.dkim else "none",
    )
    message = compose(paper, Recipient(NOBODY, "", address), letter, now.isoformat(), now)
    (to,) = message["To"].addresses
    content = paper.sealed(message)
    await post.mailer.send(paper.address, to.addr_spec, content, before_data=_nothing)


async def _nothing() -> None:
    """Nothing can withhold it."""
