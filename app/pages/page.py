"""A page: a template of templates/pages, filled in for the one who asks."""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from app.activity_types import ACTIVITY_TYPES
from app.errors import Failure
from app.pages import formatting
from app.pages.assets import PATHS
from app.pages.forms import Form
from app.pages.session import (
    NAME,
    form_token,
    no_notice,
    notice_cookie,
    notice_in,
    session_cookie,
    visiting,
    visitor_cookie,
)
from app.settings import Settings
from app.web.connection import resources_of
from app.web.failures import headers_of, status_of

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


def page(
    request: Request[Any, Any, Any],
    name: str,
    *,
    status: int = 200,
    error: Failure | None = None,
    **context: Any,
) -> Response[str]:
    """Render `templates/pages/<name>.html`, which may be a part of a page, too.

    A page that is shown because of an `error` has its status and headers.

    Beside what is given, a template has `me`, `csrf()`, `notice`, `path`, `assets`, `form`,
    `activity_types` and the functions of `formatting`.
    """
    resources = resources_of(request)
    cookies: list[Cookie] = []
    settings = resources.settings
    notice = None if is_part(request) else notice_in(settings, request.cookies.get(NAME))
    if notice:
        cookies.append(no_notice(settings))
    shared = {
        "me": request.scope.get("user"),
        "csrf": partial(_form_token, request, settings, cookies),
        "notice": notice,
        "path": request.scope["path"],
        "assets": PATHS,
        "form": Form(),
        "activity_types": ACTIVITY_TYPES,
        **formatting.FUNCTIONS,
    }
    html = resources.templates.render(f"pages/{name}.html", {**shared, **context})
    return Response(
        html,
        status_code=status_of(error) if error else status,
        headers=headers_of(error) if error else None,
        media_type=MediaType.HTML,
        cookies=cookies,
    )


def _form_token(request: Request[Any, Any, Any], settings: Settings, cookies: list[Cookie]) -> str:
    """What a form of this page brings; a browser without any cookie of ours gets one for it."""
    names = [visitor_cookie(settings)]
    if request.scope.get("user"):
        names.insert(0, session_cookie(settings))
    given = (request.cookies.get(name) for name in names)
    new = (cookie.value for cookie in cookies if cookie.key in names)
    bearer = next((bearer for bearer in (*given, *new) if bearer), None)
    if bearer is None:
        cookies.append(visiting(settings))
        bearer = str(cookies[-1].value)
    return form_token(settings.secret_key, bearer)


def is_part(request: Request[Any, Any, Any]) -> bool:
    """Whether htmx asks, for a part of a page that is shown already."""
    return request.headers.get("HX-Request") == "true"


def see_other(request: Request[Any, Any, Any], path: str, notice: str | None = None) -> Redirect:
    """Where an accepted form leads, and what is said there of it."""
    settings = resources_of(request).settings
    cookies = [notice_cookie(settings, notice)] if notice else []
    return Redirect(path, status_code=303, cookies=cookies)
