"""The SMTP side of the inbox: takes every letter for anybody, or has it sent again later."""

from __future__ import annotations

from aiosmtpd.smtp import SMTP, Envelope, Session

from app.embedded.disk import is_full
from app.embedded.inbox.letters import Inbox

LARGEST = 32 * 1024 * 1024


class Receiver:
    """The hooks that aiosmtpd calls by name."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 # aiosmtpd's name
        sender, content = envelope.mail_from or "", envelope.original_content or b""
        try:
            letter = self._inbox.store(sender, envelope.rcpt_tos, content)
        except OSError as error:
            status = "452 4.3.1" if is_full(error) else "451 4.3.0"
            return f"{status} The letter cannot be stored: {error.strerror}"
        return f"250 OK {letter}"


def smtp_protocol(inbox: Inbox) -> SMTP:
    """One connection's protocol."""
    return SMTP(
        Receiver(inbox), data_size_limit=LARGEST, enable_SMTPUTF8=True, hostname="localhost"
    )
