"""What a page says of the act that led to it: carried over a redirect in a signed cookie."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from litestar.datastructures import Cookie

from app.settings import Settings

NAME = "notice"
A_MINUTE = 60
LONGEST = 500


def notice_cookie(settings: Settings, text: str) -> Cookie:
    """Shown by the next page, once."""
    said = urlsafe_b64encode(text[:LONGEST].encode()).decode()
    return _cookie(settings, f"{said}.{_signature(settings, said)}", A_MINUTE)


def no_notice(settings: Settings) -> Cookie:
    return _cookie(settings, "", 0)


def notice_in(settings: Settings, cookie: str | None) -> str | None:
    """What the cookie says, if it is one of ours."""
    said, _, signature = (cookie or "").partition(".")
    if not said or not hmac.compare_digest(signature.encode(), _signature(settings, said).encode()):
        return None
    return urlsafe_b64decode(said).decode()


def _signature(settings: Settings, said: str) -> str:
    return hmac.new(settings.secret_key.encode(), f"notice\0{said}".encode(), sha256).hexdigest()


def _cookie(settings: Settings, value: str, seconds: int) -> Cookie:
    return Cookie(
        NAME,
        value=value,
        path="/",
        httponly=True,
        secure=not settings.development,
        samesite="lax",
        max_age=seconds,
    )
