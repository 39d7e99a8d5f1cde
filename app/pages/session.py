"""Sessions and flash messages of the pages, in cookies, and the check that a form is ours.

A page requires a signed-in person unless its `opt` says `anonymous=True`. Every POST must carry its
form's token, an HMAC of the session token or, before sign-in, of a random cookie, so that nothing
is stored for it; the exception says `forgeable=True`.
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

NAME = "notice"
A_MINUTE = timedelta(minutes=1)
LONGEST = 500


def notice_cookie(settings: Settings, text: str) -> Cookie:
    """Shown by the next page, once."""
    said = urlsafe_b64encode(text[:LONGEST].encode()).decode()
    return _cookie(settings, NAME, f"{said}.{_signature(settings, said)}", A_MINUTE)


def no_notice(settings: Settings) -> Cookie:
    return _cookie(settings, NAME, "", timedelta(0))


def notice_in(settings: Settings, cookie: str | None) -> str | None:
    """What the cookie says, if it is one of ours."""
    said, _, signature = (cookie or "").partition(".")
    if not said or not hmac.compare_digest(signature.encode(), _signature(settings, said).encode()):
        return None
    return urlsafe_b64decode(said).decode()


def _signature(settings: Settings, said: str) -> str:
    return hmac.new(settings.secret_key.encode(), f"notice\0{said}".encode(), sha256).hexdigest()


SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
FIELD = "csrf"
FORGED = (
    "This form has expired or did not come from ActiveLog. Go back, reload the page and try again."
)


class SignInFirst(Exception):
    """The page is for people who are signed in."""


async def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Find out who comes, and let them in. The user of the request is a `Me` or None.

    Raises:
        SignInFirst: it is nobody, and the page is not for everybody.
        TooMany: this person has sent more than REQUEST_RATE.
        Forbidden: a form lacks its token.
    """
    if handler.opt.get("static"):
        return
    request = cast("Request[Any, Any, Any]", connection)
    request.scope["user"] = me = await _visitor(request)
    if me is None and not handler.opt.get("anonymous"):
        raise SignInFirst
    if me is not None:
        resources_of(request).request_limiter.count(str(me.id))
    if request.method not in SAFE_METHODS and not handler.opt.get("forgeable"):
        await _refuse_forged(request)


def operators_only(connection: ASGIConnection[Any, Me, Any, Any], _: BaseRouteHandler) -> None:
    """A guard for routers of operators.

    Raises:
        Forbidden: the person is none.
    """
    if not connection.user.is_admin:
        raise Forbidden("Only operators can see this page.")


async def _visitor(request: Request[Any, Any, Any]) -> Me | None:
    resources = resources_of(request)
    token = request.cookies.get(session_cookie(resources.settings))
    if not token:
        return None
    try:
        return await authenticate(resources.database, token)
    except Unauthenticated:
        return None


async def _refuse_forged(request: Request[Any, Any, Any]) -> None:
    settings = resources_of(request).settings
    sent = (await request.form()).get(FIELD)
    bearers = [
        request.cookies.get(name) for name in (session_cookie(settings), visitor_cookie(settings))
    ]
    good = [form_token(settings.secret_key, bearer) for bearer in bearers if bearer]
    if not isinstance(sent, str) or not any(
        hmac.compare_digest(sent.encode(), token.encode()) for token in good
    ):
        raise Forbidden(FORGED)


def form_token(secret: str, bearer: str) -> str:
    """What a form of the browser that holds this cookie must bring."""
    return hmac.new(secret.encode(), f"form\0{bearer}".encode(), sha256).hexdigest()


def session_cookie(settings: Settings) -> str:
    """`__Host-` keeps the cookie to this host and to TLS, also against a sister of the host."""
    return "session" if settings.development else "__Host-session"


def visitor_cookie(settings: Settings) -> str:
    return "visitor" if settings.development else "__Host-visitor"


def signing_in(settings: Settings, session: Session) -> Cookie:
    return _cookie(settings, session_cookie(settings), session.token, settings.http.session)


def signing_out(settings: Settings) -> Cookie:
    return _cookie(settings, session_cookie(settings), "", timedelta(0))


def visiting(settings: Settings) -> Cookie:
    """A cookie of somebody who has none yet and is shown a form."""
    return _cookie(settings, visitor_cookie(settings), new_token(), None)


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


def sign_in_address(path: str) -> str:
    """Where somebody signs in who then goes on to `path`."""
    return f"/sign-in?next={quote(path, safe='/')}"


def local_path(wanted: str | None, otherwise: str) -> str:
    """Where to go after signing in: a path of ours, whatever a link to the form says.

    Browsers read `//host`, `/\\host` and either with a tab or a line break in it as other hosts.
    """
    if wanted and re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", wanted):
        return wanted
    return otherwise
