"""Composing: a letter becomes a message that mail clients can show and nobody can inject into."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import css_inline
import msgspec

from app.email.letter import Letter, Recipient, part
from app.jinja import Templates

LONGEST_SUBJECT = 120
LONGEST_NAME = 64
"""In the To header. The letter itself has the whole name."""

_JOINERS = "\u200c\u200d"
_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


@dataclass(frozen=True, slots=True)
class Stationery:
    """What all our letters are written on and signed with."""

    templates: Templates
    sender: str
    """`Name <address>`; the domain of the address is also that of the Message-IDs."""
    app_url: str
    reply_to: str | None = None

    @property
    def address(self) -> str:
        return parseaddr(self.sender)[1]


def compose(
    stationery: Stationery, recipient: Recipient, letter: Letter, occasion: str, date: datetime
) -> EmailMessage:
    """Render a letter as text and HTML.

    Raises:
        BrokenTemplate: a part is missing, broken, or names what the letter does not give.
        ValueError: an address cannot stand in a header.
    """
    subject, text, html = _rendered(stationery, letter)
    message = EmailMessage(policy.SMTP)
    message["From"] = _address(*parseaddr(stationery.sender))
    message["To"] = _address(_in_header(recipient.name, LONGEST_NAME), recipient.address)
    message["Subject"] = _in_header(subject, LONGEST_SUBJECT)
    message["Date"] = date
    message["Message-ID"] = message_id(stationery, recipient, type(letter), occasion)
    if stationery.reply_to:
        message["Reply-To"] = _address(*parseaddr(stationery.reply_to))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def message_id(
    stationery: Stationery, recipient: Recipient, letter: type[Letter], occasion: str
) -> str:
    """The same for every copy of one letter, so that a second copy can be recognised."""
    key = f"{recipient.id}\0{letter.letter}\0{occasion}".encode()
    domain = stationery.address.rpartition("@")[2]
    return f"<{hashlib.sha256(key).hexdigest()[:32]}@{domain}>"


def one_line(text: str) -> str:
    """Text without line breaks, control characters and overrides of the writing direction."""
    return " ".join("".join(" " if _unwritable(c) else c for c in text).split())


def _unwritable(character: str) -> bool:
    return character not in _JOINERS and unicodedata.category(character) in {"Cc", "Cf", "Cs"}


def _rendered(stationery: Stationery, letter: Letter) -> tuple[str, str, str]:
    context: dict[str, Any] = {"app_url": stationery.app_url, **msgspec.structs.asdict(letter)}

    def render(name: str) -> str:
        return stationery.templates.render(part(type(letter), name), context)

    context["subject"] = one_line(render("subject.txt"))
    text = render("body.txt").strip() + "\n"
    return context["subject"], text, _INLINER.inline(render("body.html"))


def _address(name: str, address: str) -> Address:
    """An address for a header, its domain in ASCII (RFC 5891)."""
    mailbox, _, domain = address.rpartition("@")
    return Address(name, mailbox, domain.encode("idna").decode())


def _in_header(text: str, longest: int) -> str:
    """Text for a header; what looks like an encoded word (RFC 2047) is not to be decoded."""
    return _cut(one_line(text).replace("=?", "= ?"), longest)


def _cut(text: str, longest: int) -> str:
    """Text of at most `longest` characters, cut between words where there is a gap to cut at.

    Never inside a character that is written as several: an accent, an emoji of a family.
    """
    if len(text) <= longest:
        return text
    end = longest - 1
    while end > 0 and (_continues(text[end]) or text[end - 1] in _JOINERS):
        end -= 1
    words = text[:end].rpartition(" ")[0]
    return (words if len(words) > longest // 2 else text[:end]).rstrip() + "…"


def _continues(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) in {"Mn", "Mc", "Me", "Sk"}
