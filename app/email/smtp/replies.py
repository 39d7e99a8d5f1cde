"""What SMTP replies mean, by their code (RFC 5321) and enhanced status code (RFC 3463)."""

from __future__ import annotations

import re

from app.errors import Unavailable

DEPENDENCY = "smtp"
SERVICE_UNAVAILABLE = 421
MAILBOX_FULL = 552
AUTHENTICATION_CODES = {530, 534, 535, 538}
MAX_TEXT_CHARACTERS = 300
"""The maximum length of the server's text in an error."""

_ENHANCED_STATUS = re.compile(r"5\.\d{1,3}\.\d{1,3}\b")
_BLAMES_ADDRESS = re.compile(r"5\.(1\.([1236]|10)|2\.1)$")
"""The address is at fault: unknown mailbox or host, malformed, moved, accepts no mail, disabled."""
_BLAMES_SOMETHING_ELSE = re.compile(r"5\.(1\.[78]|2\.[23]|[3467]\.\d+)$")
"""Something else is at fault: sender, full mailbox, size, system, route, content or policy."""


class Refused(Exception):
    """The server will never accept this email for this recipient (5xx)."""

    def __init__(self, text: str, *, blames_address: bool) -> None:
        super().__init__(text)
        self.blames_address = blames_address
        """Whether the address is at fault, and not a full mailbox, a policy or the content."""


class TemporarilyRefused(Exception):
    """The server does not accept the email now (4xx)."""


class Ambiguous(Exception):
    """The server did not reply after the email was sent, so it may have accepted the email."""


class AuthenticationFailed(Unavailable):
    """The server rejects our credentials or our sender address, and therefore every email."""


def outage(text: str) -> Unavailable:
    """Return the error for a server that cannot be used now."""
    return Unavailable(f"SMTP: {text}", dependency=DEPENDENCY)


def reply_error(stage: str, code: int, text: str) -> Exception:
    """Return the error for a reply that does not report success.

    Args:
        stage: the SMTP command, `end of DATA`, or `connecting`.
        text: the server's text, already scrubbed.
    """
    reply = f"{stage}: {code} {text}"
    is_refusal = 400 <= code < 600  # any other code is invalid here
    if not is_refusal or code == SERVICE_UNAVAILABLE or stage == "connecting":
        return outage(reply)
    if code < 500:
        return outage(reply) if stage == "AUTH" else TemporarilyRefused(f"SMTP: {reply}")
    if stage in {"AUTH", "MAIL"} or code in AUTHENTICATION_CODES:
        return AuthenticationFailed(f"SMTP: {reply}", dependency=DEPENDENCY)
    return Refused(f"SMTP: {reply}", blames_address=_blames_address(stage, code, text))


def _blames_address(stage: str, code: int, text: str) -> bool:
    status = _ENHANCED_STATUS.match(text)
    if stage != "RCPT":
        return bool(status and _BLAMES_ADDRESS.match(status[0]))
    if status:
        return not _BLAMES_SOMETHING_ELSE.match(status[0])
    return code != MAILBOX_FULL


def scrub(text: str, recipient: str = "") -> str:
    """Return a server's text as one line of ASCII, without the recipient or any other address."""
    mailbox = recipient.partition("@")[0].lower()

    def is_address(word: str) -> bool:
        bare = word.strip("<>()[]\"'.,:;").lower()
        return "@" in word or (mailbox != "" and bare == mailbox)

    words = ["(address)" if is_address(word) else word for word in text.split()]
    return " ".join(words)[:MAX_TEXT_CHARACTERS].encode("ascii", "replace").decode()
