"""The one table from kinds of failure to HTTP statuses, and what msgspec rejects in plain words."""

from __future__ import annotations

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
}


def status_of(error: errors.Failure) -> int:
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def headers_of(error: errors.Failure) -> dict[str, str]:
    """When it is worth asking again, where that is known."""
    if isinstance(error, errors.TooMany | errors.Unavailable):
        return {"Retry-After": str(error.retry_after)}
    return {}


def description_of(annotation: Any) -> str | None:
    """How a type describes what it takes, in the first of its `Meta` that does."""
    for part in get_args(annotation):
        found = part.description if isinstance(part, Meta) else description_of(part)
        if found:
            return found
    return None
