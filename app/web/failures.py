"""The one table of kinds of failure and what HTTP calls them."""

from __future__ import annotations

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
