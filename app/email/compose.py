"""Composing messages that any mail client can display, safe from header injection."""

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

from app.email.email import Email, Recipient, template_path
from app.email.formatting import one_line, truncate
from app.email.subscriptions import unsubscribe_token
from app.jinja import Templates
from app.settings import Dkim

SIGNED_HEADERS = (
    "from", "from",  # twice: adding a second From in transit breaks the signature
    "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
"""The headers that DKIM signs. A missing header is signed as absent, so nobody can add it."""

MAX_SUBJECT_CHARACTERS = 120
MAX_NAME_CHARACTERS = 64
"""The maximum length of the name in the To header. The email's text contains the full name."""

_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


class _Policy(EmailPolicy):
    """A policy that folds long headers, except `List-Unsubscribe`: folding would encode its URL."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.startswith("List-Unsubscribe"):
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Policy(linesep="\r\n")


@dataclass(frozen=True, slots=True)
class EmailConfig:
    """What all emails have in common: templates, sender, base URL and keys."""

    templates: Templates
    from_address: str
    """`Name <address>`. Message-IDs use this address's domain."""
    app_url: str
    """The base URL for links."""
    secret: str = field(repr=False)
    """The key that signs unsubscribe links."""
    reply_to: str | None = None
    dkim: Dkim | None = None

    @property
    def envelope_sender(self) -> str:
        """The sender's address for SMTP, with the domain in ASCII."""
        return f"{parseaddr(self.from_address)[1].rpartition('@')[0]}@{self.domain}"

    @property
    def domain(self) -> str:
        """The domain of the sender's address, in ASCII."""
        return parseaddr(self.from_address)[1].rpartition("@")[2].encode("idna").decode()

    def serialize(self, message: EmailMessage) -> bytes:
        """Return the message as bytes to send, signed if a DKIM key is configured."""
        content = message.as_bytes()
        return content if self.dkim is None else dkim_sign(content, self.dkim, self.domain)


def dkim_sign(message: bytes, key: Dkim, domain: str) -> bytes:
    """Prepend the domain's DKIM signature to the message. This takes a few milliseconds."""
    signature = dkim.sign(
        message,
        key.selector.encode(),
        domain.encode(),
        key.key,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name.encode() for name in SIGNED_HEADERS],
    )
    return bytes(signature) + message


def compose(
    config: EmailConfig, recipient: Recipient, email: Email, unique_key: str, date: datetime
) -> EmailMessage:
    """Render an email as text and HTML, with its headers.

    Raises:
        BrokenTemplate: a template is missing, broken, or uses a variable that the email lacks.
        ValueError: an address cannot be written in a header.
    """
    unsubscribe_url = _unsubscribe_url(config, recipient, type(email))
    subject, text, html = _render(config, email, unsubscribe_url)
    message = EmailMessage(_POLICY)
    message["From"] = _header_address(*parseaddr(config.from_address))
    message["To"] = _header_address(
        _header_text(recipient.name, MAX_NAME_CHARACTERS), recipient.address
    )
    message["Subject"] = _header_text(subject, MAX_SUBJECT_CHARACTERS)
    message["Date"] = date
    message["Message-ID"] = message_id(config, recipient, type(email), unique_key)
    if config.reply_to:
        message["Reply-To"] = _header_address(*parseaddr(config.reply_to))
    message["Auto-Submitted"] = "auto-generated"
    if unsubscribe_url:
        message["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def message_id(
    config: EmailConfig, recipient: Recipient, email: type[Email], unique_key: str
) -> str:
    """Return the Message-ID. All copies of an email share it, so duplicates can be recognized."""
    key = f"{recipient.id}\0{email.template}\0{unique_key}".encode()
    return f"<{hashlib.sha256(key).hexdigest()[:32]}@{config.domain}>"


def _unsubscribe_url(config: EmailConfig, recipient: Recipient, email: type[Email]) -> str | None:
    if email.subscription is None:
        return None
    token = unsubscribe_token(config.secret, recipient.id, email.subscription)
    return f"{config.app_url}/unsubscribe/{token}"


def _render(config: EmailConfig, email: Email, unsubscribe_url: str | None) -> tuple[str, str, str]:
    """Return the subject, the text and the HTML of an email."""
    context: dict[str, Any] = {
        "app_url": config.app_url,
        "unsubscribe_url": unsubscribe_url,
        **msgspec.structs.asdict(email),
    }

    def render(part: str) -> str:
        return config.templates.render(template_path(type(email), part), context)

    context["subject"] = one_line(render("subject.txt"))
    text = render("body.txt").strip() + "\n"
    return context["subject"], text, _INLINER.inline(render("body.html"))


def _header_address(name: str, address: str) -> Address:
    """Return an address for use in a header, with the domain in ASCII (RFC 3490)."""
    mailbox, _, domain = address.rpartition("@")
    return Address(name, mailbox, domain.encode("idna").decode())


def _header_text(text: str, max_characters: int) -> str:
    """Return text for use in a header, with nothing that looks like an encoded word (RFC 2047)."""
    return truncate(one_line(text).replace("=?", "= ?"), max_characters)
