"""Rendering pages from templates, and redirecting to pages."""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from app.activity_types import ACTIVITY_TYPES
from app.email.subscriptions import SUBSCRIPTIONS
from app.errors import Failure
from app.exports.formats import FORMATS
from app.pages import formatting
from app.pages.assets import ASSET_PATHS
from app.pages.forms import Form
from app.pages.session import (
    FLASH_COOKIE,
    cleared_flash_cookie,
    form_token,
    new_flash_cookie,
    new_visitor_cookie,
    read_flash,
    session_cookie_name,
    visitor_cookie_name,
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


def render_page(
    request: Request[Any, Any, Any],
    name: str,
    *,
    status: int = 200,
    error: Failure | None = None,
    **context: Any,
) -> Response[str]:
    """Render `templates/pages/<name>.html`, a page or a fragment of a page.

    If there is an `error`, the response has its status and headers.

    Besides `context`, templates can use the values in `shared`, such as `me` and `csrf()`.
    """
    resources = resources_of(request)
    cookies: list[Cookie] = []
    settings = resources.settings
    flash = None
    if not is_fragment_request(request):
        flash = read_flash(settings, request.cookies.get(FLASH_COOKIE))
    if flash:
        cookies.append(cleared_flash_cookie(settings))
    shared = {
        "me": request.scope.get("user"),
        "csrf": partial(_form_token, request, settings, cookies),
        "flash": flash,
        "path": request.scope["path"],
        "assets": ASSET_PATHS,
        "form": Form(),
        "activity_types": ACTIVITY_TYPES,
        "formats": FORMATS,
        "subscriptions": SUBSCRIPTIONS,
        "retention": settings.retention,
        **formatting.TEMPLATE_FUNCTIONS,
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
    """Return the token for the forms on a page.

    A browser with neither a valid session cookie nor a visitor cookie gets a visitor cookie, which
    is added to `cookies`.
    """
    names = [visitor_cookie_name(settings)]
    if request.scope.get("user"):
        names.insert(0, session_cookie_name(settings))
    present = (request.cookies.get(name) for name in names)
    added = (cookie.value for cookie in cookies if cookie.key in names)
    value = next((value for value in (*present, *added) if value), None)
    if value is None:
        cookies.append(new_visitor_cookie(settings))
        value = str(cookies[-1].value)
    return form_token(settings.secret_key, value)


def is_fragment_request(request: Request[Any, Any, Any]) -> bool:
    """Return whether htmx is updating part of a page that is already shown."""
    return request.headers.get("HX-Request") == "true"


def see_other(request: Request[Any, Any, Any], path: str, flash: str | None = None) -> Redirect:
    """Redirect to another page, which shows the flash message if there is one."""
    settings = resources_of(request).settings
    cookies = [new_flash_cookie(settings, flash)] if flash else []
    return Redirect(path, status_code=303, cookies=cookies)
