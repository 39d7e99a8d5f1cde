"""What a server's answers mean: by the code (RFC 5321) and the enhanced status (RFC 3463)."""

from __future__ import annotations

import re

from app.errors import Unavailable

DEPENDENCY = "smtp"
CONNECTION_ENDS = 421
MAILBOX_FULL = 552
NOT_AUTHENTICATED = {530, 534, 535, 538}

_STATUS = re.compile(r"5\.\d{1,3}\.\d{1,3}\b")
_THE_ADDRESS = re.compile(r"5\.(1\.([1236]|10)|2\.1)$")
"""No such mailbox, no such host, malformed, moved, takes no mail, disabled."""
_NOT_THE_ADDRESS = re.compile(r"5\.(1\.[78]|2\.[23]|[3467]\.\d+)$")
"""The sender, a full mailbox or a long email, the system, the route, the content, a policy."""


class Refused(Exception):
    """The server will never take this email for this recipient (5xx)."""

    def __init__(self, text: str, *, blames_address: bool) -> None:
        super().__init__(text)
        self.blames_address = blames_address
        """No email can reach it: false for a full mailbox, a policy, or what the email says."""


class TemporarilyRefused(Exception):
    """The server will not take the email now (4xx)."""


class Ambiguous(Exception):
    """Silence after the email was handed over: it may have been taken."""


class AuthenticationFailed(Unavailable):
    """The server refuses our credentials or our sender, and so every email."""


def outage(text: str) -> Unavailable:
    return Unavailable(f"SMTP: {text}", dependency=DEPENDENCY)


def meaning(stage: str, code: int, text: str) -> Exception:
    """The fact behind a refusal. `text` is scrubbed; `stage` is the command, or `connecting`."""
    said = f"{stage}: {code} {text}"
    spoken = 400 <= code < 600  # anything else is no refusal in SMTP
    if not spoken or code == CONNECTION_ENDS or stage == "connecting":
        return outage(said)
    if code < 500:
        return outage(said) if stage == "AUTH" else TemporarilyRefused(f"SMTP: {said}")
    if stage in {"AUTH", "MAIL"} or code in NOT_AUTHENTICATED:
        return AuthenticationFailed(f"SMTP: {said}", dependency=DEPENDENCY)
    return Refused(f"SMTP: {said}", blames_address=_blames_address(stage, code, text))


def _blames_address(stage: str, code: int, text: str) -> bool:
    status = _STATUS.match(text)
    if stage != "RCPT":
        return bool(status and _THE_ADDRESS.match(status[0]))
    if status:
        return not _NOT_THE_ADDRESS.match(status[0])
    return code != MAILBOX_FULL


def scrubbed(text: str, recipient: str = "") -> str:
    """A server's words in one line of ASCII, without the recipient or any other address."""
    mailbox = recipient.partition("@")[0].lower()

    def names_someone(word: str) -> bool:
        bare = word.strip("<>()[]\"'.,:;").lower()
        return "@" in word or (mailbox != "" and bare == mailbox)

    words = ["(address)" if names_someone(word) else word for word in text.split()]
    return " ".join(words)[:300].encode("ascii", "replace").decode()
