"""The HTTP status and headers for each kind of failure, and descriptions of valid values."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, get_args

from msgspec import Meta

from app import errors

STATUSES: dict[type[errors.Failure], int] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.TooMany: 429,
    errors.Busy: 503,
    errors.Unavailable: 503,
    errors.StatementCancelled: 503,
}


def status_of(error: errors.Failure) -> int:
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


RFC_9110_PHRASES = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""The phrases that Python has only since version 3.13."""


def phrase_of(status: int) -> str:
    """Return the reason phrase of a status (RFC 9110, section 15)."""
    return RFC_9110_PHRASES.get(status) or HTTPStatus(status).phrase


def headers_of(error: errors.Failure) -> dict[str, str]:
    """Return `Retry-After` for temporary failures."""
    if isinstance(error, errors.TooMany | errors.Unavailable | errors.StatementCancelled):
        return {"Retry-After": str(error.retry_after)}
    return {}


def description_of(annotation: Any) -> str | None:
    """Return a type's description of valid values, from its first `Meta` that has a description."""
    for part in get_args(annotation):
        description = part.description if isinstance(part, Meta) else description_of(part)
        if description:
            return description
    return None
