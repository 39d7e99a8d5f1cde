"""Every failure of a page as a page, from one table of kinds."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from app import errors
from app.pages.page import page, templates_of
from app.postgres.pool import OUTAGES

log = structlog.get_logger(__name__)

GONE = "This link has been used or has expired"
NOT_THERE = "There is nothing at this address"
REFUSED = "This cannot be done as it was asked"
AWAY = "We are away for a moment"
WRONG = "Something went wrong on our side"


def failure_page(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """Say what happened, and log what was not foreseen."""
    status, title = _told(error)
    if status == 500:
        log.error("unexpected exception", exc_info=error)
    elif status == 503:
        log.warning("outage", error=type(error).__name__)
    return page(templates_of(request), "failure", status=status, title=title, code=status)


def _told(error: Exception) -> tuple[int, str]:
    match error:
        case errors.Gone():
            return 410, GONE
        case errors.NotFound():
            return 404, NOT_THERE
        case errors.Invalid():
            return 400, REFUSED
        case errors.Forbidden():
            return 403, REFUSED
        case errors.Conflict():
            return 409, REFUSED
        case errors.TooMany():
            return 429, AWAY
        case errors.Unavailable():
            return 503, AWAY
        case HTTPException(status_code=code) if code < 500:
            return code, NOT_THERE
        case _ if isinstance(error, OUTAGES):
            return 503, AWAY
    return 500, WRONG
