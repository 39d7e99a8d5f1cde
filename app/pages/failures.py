"""Error pages, for every exception that a page raises."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from app.errors import Failure, StatementCancelled, Unavailable
from app.pages.page import CONTENT_SECURITY_POLICY, is_fragment_request, render_page
from app.pages.session import SAFE_METHODS, SignInRequired, sign_in_url
from app.web.failures import status_of

log = structlog.get_logger(__name__)

TITLES = {
    400: "We could not process this request",
    403: "You cannot do this",
    404: "Page not found",
    405: "Page not found",
    409: "This is not possible",
    410: "This link no longer works",
    413: "This request is too large",
    429: "Too many requests",
    503: "Temporarily unavailable",
    500: "Something went wrong",
}
SERVER_ERROR_DETAIL = "This is our fault, not yours. Please try again in a few minutes."


def failure_page(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Render the error as a page, or redirect to the sign-in form. Log unexpected exceptions."""
    if isinstance(error, SignInRequired):
        return _require_sign_in(request)
    status, detail = _status_and_detail(error)
    if status == 500:
        log.error("request.failed", exc_info=error)
    elif isinstance(error, Unavailable):
        log.warning("dependency.failed", dependency=error.dependency, detail=error.detail)
    elif isinstance(error, StatementCancelled):
        log.warning("statement.cancelled", exc_info=error)
    title = TITLES.get(status, TITLES[400])
    response = render_page(
        request,
        "failure",
        status=status,
        error=error if isinstance(error, Failure) else None,
        title=title,
        detail=detail,
        code=status,
    )
    # Litestar does not add the router's headers to the responses of exception handlers.
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _status_and_detail(error: Exception) -> tuple[int, str]:
    if isinstance(error, Unavailable | StatementCancelled):
        return status_of(error), SERVER_ERROR_DETAIL
    if isinstance(error, Failure):
        return status_of(error), error.detail
    if isinstance(error, HTTPException) and error.status_code < 500:
        return error.status_code, ""
    return 500, SERVER_ERROR_DETAIL


def _require_sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Redirect to the sign-in form. For a fragment request, make htmx reload the whole page."""
    if is_fragment_request(request):
        return Response(None, status_code=204, headers={"HX-Refresh": "true"})
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["path"] + (f"?{query}" if query else "")
    next_path = path if request.method in SAFE_METHODS else "/"
    return Redirect(sign_in_url(next_path), status_code=303)
