"""Sessions and flash messages in cookies, and the checks on every request for a page.

A page requires a signed-in user unless its `opt` has `anonymous=True`. Every POST must carry its
form's token unless its handler's `opt` has `csrf_exempt=True`. The token is an HMAC of the session
token or, before sign-in, of a random cookie, so nothing has to be stored for it.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256
from typing import Any, cast
from urllib.parse import quote

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler

from app.errors import Forbidden, Unauthenticated
from app.settings import Settings
from app.users.email_links import new_token
from app.users.sessions import Session, authenticate
from app.users.user import Me
from app.web.connection import resources_of
from app.web.encodings import refuse_content_encoding

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
CSRF_FIELD = "csrf"
CSRF_REJECTED = (
    "This form has expired or did not come from ActiveLog. Go back, reload the page and try again."
)
FLASH_COOKIE = "flash"
FLASH_LIFETIME = timedelta(minutes=1)
MAX_FLASH_CHARACTERS = 500


class SignInRequired(Exception):
    """The page requires a signed-in user."""


async def authorize(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Set the request's user to a `Me` or None, and check that this user may make the request.

    Raises:
        SignInRequired: nobody is signed in, and the page is not anonymous.
        TooMany: the user has exceeded REQUEST_RATE.
        Forbidden: a form has no valid token.
    """
    if handler.opt.get("static"):
        return
    request = cast("Request[Any, Any, Any]", connection)
    request.scope["user"] = me = await _signed_in_user(request)
    if me is None and not handler.opt.get("anonymous"):
        raise SignInRequired
    if me is not None:
        resources = resources_of(request)
        resources.limiter.count(resources.request_limit, str(me.id))
    if request.method not in SAFE_METHODS and not handler.opt.get("csrf_exempt"):
        await _check_form_token(request)


def operators_only(connection: ASGIConnection[Any, Me, Any, Any], _: BaseRouteHandler) -> None:
    """Guard the operators' pages.

    Raises:
        Forbidden: the user is not an operator.
    """
    if not connection.user.is_admin:
        raise Forbidden("Only operators can see this page.")


async def _signed_in_user(request: Request[Any, Any, Any]) -> Me | None:
    resources = resources_of(request)
    token = request.cookies.get(session_cookie_name(resources.settings))
    if not token:
        return None
    try:
        return await authenticate(resources.database, token)
    except Unauthenticated:
        return None


async def _check_form_token(request: Request[Any, Any, Any]) -> None:
    if request.headers.get("Sec-Fetch-Site") == "cross-site":  # in case a token has leaked
        raise Forbidden(CSRF_REJECTED)
    settings = resources_of(request).settings
    refuse_content_encoding(request)
    sent = (await request.form()).get(CSRF_FIELD)
    names = (session_cookie_name(settings), visitor_cookie_name(settings))
    values = [request.cookies.get(name) for name in names]
    tokens = [form_token(settings.secret_key, value) for value in values if value]
    if not isinstance(sent, str) or not any(
        hmac.compare_digest(sent.encode(), token.encode()) for token in tokens
    ):
        raise Forbidden(CSRF_REJECTED)


def form_token(secret: str, cookie_value: str) -> str:
    """Return the token for forms shown to the browser with this session or visitor cookie."""
    return hmac.new(secret.encode(), f"form\0{cookie_value}".encode(), sha256).hexdigest()


def session_cookie_name(settings: Settings) -> str:
    """Return the name of the session cookie.

    `__Host-` limits the cookie to TLS and to this host: a sibling host cannot set it.
    """
    return "session" if settings.development else "__Host-session"


def visitor_cookie_name(settings: Settings) -> str:
    return "visitor" if settings.development else "__Host-visitor"


def new_session_cookie(settings: Settings, session: Session) -> Cookie:
    return _cookie(
        settings, session_cookie_name(settings), session.token, settings.http.session_lifetime
    )


def cleared_session_cookie(settings: Settings) -> Cookie:
    return _cookie(settings, session_cookie_name(settings), "", timedelta(0))


def new_visitor_cookie(settings: Settings) -> Cookie:
    """Make a random cookie for a browser that is shown a form before anybody signs in."""
    return _cookie(settings, visitor_cookie_name(settings), new_token(), None)


def new_flash_cookie(settings: Settings, text: str) -> Cookie:
    """Make a cookie with a message that the next page shows once."""
    encoded = urlsafe_b64encode(text[:MAX_FLASH_CHARACTERS].encode()).decode()
    value = f"{encoded}.{_flash_signature(settings, encoded)}"
    return _cookie(settings, FLASH_COOKIE, value, FLASH_LIFETIME)


def cleared_flash_cookie(settings: Settings) -> Cookie:
    return _cookie(settings, FLASH_COOKIE, "", timedelta(0))


def read_flash(settings: Settings, cookie: str | None) -> str | None:
    """Return the message in the cookie, or None if we did not sign it."""
    encoded, _, signature = (cookie or "").partition(".")
    expected = _flash_signature(settings, encoded)
    if not encoded or not hmac.compare_digest(signature.encode(), expected.encode()):
        return None
    return urlsafe_b64decode(encoded).decode()


def _flash_signature(settings: Settings, encoded: str) -> str:
    message = f"flash\0{encoded}".encode()
    return hmac.new(settings.secret_key.encode(), message, sha256).hexdigest()


def _cookie(settings: Settings, name: str, value: str, lifetime: timedelta | None) -> Cookie:
    return Cookie(
        name,
        value=value,
        path="/",
        httponly=True,
        secure=not settings.development,
        samesite="lax",
        max_age=None if lifetime is None else int(lifetime.total_seconds()),
    )


def sign_in_url(path: str) -> str:
    """Return the URL of the sign-in form, which then redirects to `path`."""
    return f"/sign-in?next={quote(path, safe='/')}"


def local_path(path: str | None, default: str) -> str:
    """Return `path` if it is on this site, otherwise the default.

    A link to the sign-in form may name any path. Browsers read `//host` and `/\\host`, even
    with a tab or a line break inside, as other hosts.
    """
    if path and re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", path):
        return path
    return default
