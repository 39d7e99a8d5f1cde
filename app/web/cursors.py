"""Cursors: the sort key of the last item of a page, in characters that a URL carries unchanged."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from app.errors import Invalid

K = TypeVar("K", bound=tuple[Any, ...])


def cursor_of(key: tuple[Any, ...]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def after_cursor(cursor: str | None, shape: type[K]) -> K | None:
    """Read the sort key that a cursor stands for; None at the beginning of a list.

    Raises:
        Invalid: it is no cursor of such a list.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key: K = msgspec.json.decode(urlsafe_b64decode(padded.encode()), type=shape)
        for part in key:
            _refuse_unstorable(part)
    except (msgspec.DecodeError, binascii.Error, ValueError, OverflowError, RecursionError):
        raise Invalid("Invalid cursor.", field="cursor") from None
    return key


def _refuse_unstorable(part: object) -> None:
    """A forged key may hold what Postgres has no value for.

    Raises:
        ValueError, OverflowError: it does.
    """
    if isinstance(part, datetime):
        if part.tzinfo is None:
            raise ValueError("a time without a zone")
        part.astimezone(UTC)
    if isinstance(part, str) and "\0" in part:
        raise ValueError("a NUL")
