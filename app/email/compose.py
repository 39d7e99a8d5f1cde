"""Composing: an email becomes a message that mail clients can show and nobody can inject into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parseaddr
from typing import Any

import css_inline
import dkim  # type: ignore[import-untyped] # has no stubs
import msgspec

from app.email.email import Email, Recipient, part
from app.email.formatting import cut, one_line
from app.email.unsubscribe import unsubscribe_token
from app.jinja import Templates
from app.settings import Dkim

SIGNED = (
    "from", "from",  # twice: a second From that is added on the way breaks the signature
    "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
"""What is not there is signed as absent, and cannot be added."""


def signed(message: bytes, key: Dkim, domain: str) -> bytes:
    """The message with a signature of the domain above it. Takes some milliseconds."""
    signature = dkim.sign(
        message,
        key.selector.encode(),
        domain.encode(),
        key.key,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name.encode() for name in SIGNED],
    )
    return bytes(signature) + message


LONGEST_SUBJECT = 120
LONGEST_NAME = 64
"""In the To header. The email itself has the whole name."""

_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


class _Policy(EmailPolicy):
    """Folds long headers, but not the two that RFC 8058 wants readers to find on one line."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.startswith("List-Unsubscribe"):
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Policy(linesep="\r\n")


@dataclass(frozen=True, slots=True)
class EmailConfig:
    """What all our emails are written on and signed with."""

    templates: Templates
    from_address: str
    """`Name <address>`; the domain of the address is also that of the Message-IDs."""
    app_url: str
    secret: str = field(repr=False)
    """Signs the links by which people unsubscribe."""
    reply_to: str | None = None
    dkim: Dkim | None = None

    @property
    def address(self) -> str:
        """As SMTP carries it, its domain in ASCII."""
        return f"{parseaddr(self.from_address)[1].rpartition('@')[0]}@{self.domain}"

    @property
    def domain(self) -> str:
        return parseaddr(self.from_address)[1].rpartition("@")[2].encode("idna").decode()

    def sealed(self, message: EmailMessage) -> bytes:
        """The message as it goes out, signed when there is a key."""
        content = message.as_bytes()
        return content if self.dkim is None else signed(content, self.dkim, self.domain)


def compose(
    config: EmailConfig, recipient: Recipient, email: Email, unique_key: str, date: datetime
) -> EmailMessage:
    """Render an email as text and HTML.

    Raises:
        BrokenTemplate: a part is missing, broken, or names what the email does not give.
        ValueError: an address cannot stand in a header.
    """
    way_out = _unsubscribe_url(config, recipient, type(email))
    subject, text, html = _rendered(config, email, way_out)
    message = EmailMessage(_POLICY)
    message["From"] = _address(*parseaddr(config.from_address))
    message["To"] = _address(_in_header(recipient.name, LONGEST_NAME), recipient.address)
    message["Subject"] = _in_header(subject, LONGEST_SUBJECT)
    message["Date"] = date
    message["Message-ID"] = message_id(config, recipient, type(email), unique_key)
    if config.reply_to:
        message["Reply-To"] = _address(*parseaddr(config.reply_to))
    message["Auto-Submitted"] = "auto-generated"
    if way_out:
        message["List-Unsubscribe"] = f"<{way_out}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def message_id(
    config: EmailConfig, recipient: Recipient, email: type[Email], unique_key: str
) -> str:
    """The same for every copy of one email, so that a second copy can be recognised."""
    key = f"{recipient.id}\0{email.template}\0{unique_key}".encode()
    return f"<{hashlib.sha256(key).hexdigest()[:32]}@{config.domain}>"


def _unsubscribe_url(config: EmailConfig, recipient: Recipient, email: type[Email]) -> str | None:
    if email.subscription is None:
        return None
    token = unsubscribe_token(config.secret, recipient.id, email.subscription)
    return f"{config.app_url}/unsubscribe/{token}"


def _rendered(
    config: EmailConfig, email: Email, unsubscribe_url: str | None
) -> tuple[str, str, str]:
    context: dict[str, Any] = {
        "app_url": config.app_url,
        "unsubscribe_url": unsubscribe_url,
        **msgspec.structs.asdict(email),
    }

    def render(name: str) -> str:
        return config.templates.render(part(type(email), name), context)

    context["subject"] = one_line(render("subject.txt"))
    text = render("body.txt").strip() + "\n"
    return context["subject"], text, _INLINER.inline(render("body.html"))


def _address(name: str, address: str) -> Address:
    """An address for a header, its domain in ASCII (RFC 5891)."""
    mailbox, _, domain = address.rpartition("@")
    return Address(name, mailbox, domain.encode("idna").decode())


def _in_header(text: str, longest: int) -> str:
    """Text for a header; what looks like an encoded word (RFC 2047) is not to be decoded."""
    return cut(one_line(text).replace("=?", "= ?"), longest)
