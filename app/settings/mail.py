"""Where emails go out, how many, and who signs them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import unquote

from dkim import crypto  # type: ignore[import-untyped] # has no stubs

from app.settings.environment import REMEDIES, THIS_MACHINE, SettingsError, Variables, split_url
from app.settings.sections import Rate, rate_of

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
    connections: int


@dataclass(frozen=True, slots=True)
class Dkim:
    selector: str
    key: bytes = field(repr=False)  # an RSA private key in PEM


@dataclass(frozen=True, slots=True)
class Mail:
    from_address: str
    reply_to: str | None
    dkim: Dkim | None
    rates: Sequence[Rate]
    smtp: Smtp

    @classmethod
    def from_env(cls, env: Variables) -> Mail:
        answers = env.optional("MAIL_REPLY_TO")
        return cls(
            from_address=_mailbox(
                "MAIL_FROM", env.text("MAIL_FROM", "ActiveLog <hello@localhost>")
            ),
            reply_to=answers and _mailbox("MAIL_REPLY_TO", answers),
            dkim=_dkim(env),
            rates=_rates(env),
            smtp=_smtp(env),
        )


def _smtp(env: Variables) -> Smtp:
    """`smtp://user:pass@host:587?tls=starttls` or `smtps://host`.

    Without `tls`, an `smtp://` host of this machine is spoken to in plain text and any other with
    STARTTLS, so that a forgotten parameter never sends a password in the clear.
    """
    name, schemes = "SMTP_URL", {"smtp", "smtps"}
    parts = split_url(name, env.url(name, schemes), schemes)
    if not parts.hostname:
        raise SettingsError(name, f"has no host: {REMEDIES[name]}")
    query = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    local = parts.hostname in THIS_MACHINE
    tls = query.pop("tls", "none" if local else "starttls")
    if parts.scheme == "smtps":
        tls = "implicit"
    if query or tls not in {"none", "starttls", "implicit"}:
        raise SettingsError(name, "accepts one parameter, tls=starttls or tls=none")
    return Smtp(
        host=parts.hostname,
        port=parts.port or (465 if tls == "implicit" else 25 if local else 587),
        tls=tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        connections=env.number("SMTP_CONNECTIONS", 4, 1, 100),
    )


def _mailbox(name: str, text: str) -> str:
    """`Name <address>`, or an address: all that stands in every email, and so is looked at now."""
    address = parseaddr(text)[1]
    try:
        address.rpartition("@")[2].encode("idna")
    except UnicodeError:
        address = ""
    if not (text.isprintable() and _ADDRESS.fullmatch(address)):
        raise SettingsError(name, "must be an address such as ActiveLog <hello@activelog.example>")
    return text


def _dkim(env: Variables) -> Dkim | None:
    path, selector = env.optional(name := "DKIM_KEY_FILE"), env.optional("DKIM_SELECTOR")
    if path is None and selector is None:
        return None
    if path is None or selector is None:
        raise SettingsError(
            name if selector else "DKIM_SELECTOR",
            "is not set: DKIM needs DKIM_KEY_FILE and DKIM_SELECTOR",
        )
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", selector):
        raise SettingsError(
            "DKIM_SELECTOR", "is not a valid DNS name: use letters, digits and hyphens"
        )
    try:
        key = Path(path).read_bytes().replace(b"\r\n", b"\n")
        crypto.parse_pem_private_key(key)
    except OSError as error:
        raise SettingsError(name, f"cannot be read: {error.strerror}") from None
    except (crypto.UnparsableKeyError, ValueError):
        raise SettingsError(
            name, "contains no RSA private key in PEM format: see docs/email.md"
        ) from None
    return Dkim(selector, key)


def _rates(env: Variables) -> Sequence[Rate]:
    """`10/s,500/h,10000/d`: any of them, each at most once; none: no limit of ours."""
    name = "MAIL_RATE"
    limits = [limit.strip() for limit in env.text(name, "").split(",") if limit]
    rates = [rate for limit in limits if (rate := rate_of(limit))]
    if len({rate.period for rate in rates}) < len(limits):
        raise SettingsError(name, "must be limits such as 10/s,500/h,10000/d, at most one per unit")
    return rates
