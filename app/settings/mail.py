"""The settings for email: sender, server, rates and DKIM signature."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

from dkim import crypto  # type: ignore[import-untyped] # has no stubs
from msgspec import Meta

from app.settings.environment import LOCAL_HOSTS, REMEDIES
from app.settings.sections import Rate, parse_rate
from app.settings.urls import split_url

DEFAULT_SENDER = "ActiveLog <hello@localhost>"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(\.{_ATOM})*@[^\s@.]+(\.[^\s@.]+)*")


@dataclass(frozen=True, slots=True)
class Smtp:
    host: str
    port: int
    tls: str
    """`implicit`, `starttls` or `none`."""
    username: str | None
    password: str | None
    connections: int = 4


@dataclass(frozen=True, slots=True)
class Dkim:
    selector: str
    key: bytes = field(repr=False)  # an RSA private key in PEM


def parse_smtp_url(text: str) -> Smtp:
    """Parse `smtp://user:pass@host:587?tls=starttls` or `smtps://host`.

    Without `tls`, an `smtp://` connection is in plain text to a host on this machine and uses
    STARTTLS to any other, so that a forgotten parameter never sends a password over the network
    unencrypted.
    """
    parts = split_url(text, "smtp", "smtps")
    if not parts.hostname:
        raise ValueError(f"has no host: {REMEDIES['SMTP_URL']}")
    query = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    local = parts.hostname in LOCAL_HOSTS
    tls = query.pop("tls", "none" if local else "starttls")
    if parts.scheme == "smtps":
        tls = "implicit"
    if query or tls not in {"none", "starttls", "implicit"}:
        raise ValueError("accepts one parameter, tls=starttls or tls=none")
    return Smtp(
        host=parts.hostname,
        port=parts.port or (465 if tls == "implicit" else 25 if local else 587),
        tls=tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def parse_mailbox(text: str) -> str:
    """Check `Name <address>` or a plain address at startup, since every email contains it."""
    address = parseaddr(text)[1]
    try:
        address.rpartition("@")[2].encode("idna")
    except UnicodeError:
        address = ""
    if not (text.isprintable() and _ADDRESS.fullmatch(address)):
        raise ValueError("must be an address such as ActiveLog <hello@activelog.example>")
    return text


def read_dkim_key(path: str) -> bytes:
    """Read an RSA private key in PEM format from a file."""
    try:
        key = Path(path).read_bytes().replace(b"\r\n", b"\n")
        crypto.parse_pem_private_key(key)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except (crypto.UnparsableKeyError, ValueError):
        raise ValueError("contains no RSA private key in PEM format: see docs/email.md") from None
    return key


def parse_dns_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", text):
        raise ValueError("is not a valid DNS name: use letters, digits, hyphens and dots")
    return text


def parse_rates(text: str) -> Sequence[Rate]:
    """Parse rates such as `10/s,500/h,10000/d`, at most one for each unit."""
    try:
        rates = [parse_rate(limit.strip()) for limit in text.split(",") if limit]
        if len({rate.period for rate in rates}) == len(rates):
            return rates
    except ValueError:
        pass
    raise ValueError("must be rates such as 10/s,500/h,10000/d, at most one per unit")


@dataclass(frozen=True, slots=True)
class Mail:
    server: Annotated[Smtp, parse_smtp_url, "SMTP_URL"]
    connections: Annotated[int, Meta(ge=1, le=100), "SMTP_CONNECTIONS"] = 4
    from_address: Annotated[str, parse_mailbox, "MAIL_FROM"] = DEFAULT_SENDER
    reply_to: Annotated[str | None, parse_mailbox, "MAIL_REPLY_TO"] = None
    rates: Annotated[Sequence[Rate], parse_rates, "MAIL_RATE"] = field(default_factory=list)
    """If empty, only the mail server limits how many emails are sent in total."""
    dkim_key: Annotated[bytes | None, read_dkim_key, "DKIM_KEY_FILE"] = field(
        default=None, repr=False
    )
    dkim_selector: Annotated[str | None, parse_dns_name, "DKIM_SELECTOR"] = None

    @property
    def smtp(self) -> Smtp:
        return replace(self.server, connections=self.connections)

    @property
    def dkim(self) -> Dkim | None:
        """None if emails are not signed."""
        if self.dkim_key is None or self.dkim_selector is None:
            return None
        return Dkim(self.dkim_selector, self.dkim_key)
