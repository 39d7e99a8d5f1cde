"""The well-known URIs (RFC 8615) of the service."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.response import Redirect

from app.settings import Settings
from app.web.connection import resources_of

SECURITY_TXT_LIFETIME = timedelta(days=180)
"""RFC 9116, section 2.5.5: less than a year."""


@get("/.well-known/security.txt", opt={"anonymous": True})
async def show_security_txt(
    request: Request[Any, Any, Any], now: NamedDependency[datetime]
) -> Response[str]:
    """Say where to report a vulnerability (RFC 9116)."""
    settings = resources_of(request).settings
    expires = now.replace(hour=0, minute=0, second=0, microsecond=0) + SECURITY_TXT_LIFETIME
    lines = (
        f"Contact: {security_contact(settings)}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
        f"Canonical: {settings.http.app_url}/.well-known/security.txt",
    )
    return Response("\n".join(lines) + "\n", media_type=MediaType.TEXT)


def security_contact(settings: Settings) -> str:
    """Return the URI of SECURITY_CONTACT, or else the address that replies to our emails reach."""
    sender = settings.mail.reply_to or settings.mail.from_address
    return settings.http.security_contact or f"mailto:{parseaddr(sender)[1]}"


@get("/.well-known/change-password", opt={"anonymous": True})
async def redirect_to_password_form() -> Redirect:
    """Redirect password managers to the form (https://w3c.github.io/webappsec-change-password-url/)."""
    return Redirect("/settings", status_code=302)


routes = [show_security_txt, redirect_to_password_form]
