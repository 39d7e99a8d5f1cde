"""Cursors: the sort key of the last item of a page, encoded so that it is safe in a URL."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from app.errors import Invalid

K = TypeVar("K", bound=tuple[Any, ...])


def encode_cursor(key: tuple[Any, ...]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str | None, key_type: type[K]) -> K | None:
    """Return the sort key in a cursor; None if there is no cursor, for the first page.

    Raises:
        Invalid: the cursor is malformed, or belongs to a list with a different sort key.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key: K = msgspec.json.decode(urlsafe_b64decode(padded.encode()), type=key_type)
        for part in key:
            _refuse_unstorable(part)
    except (msgspec.DecodeError, binascii.Error, ValueError, OverflowError, RecursionError):
        raise Invalid("Invalid cursor.", field="cursor") from None
    return key


def _refuse_unstorable(part: object) -> None:
    """Refuse a part of a forged key that Postgres cannot store.

    Raises:
        ValueError: the part is a time without a time zone, or a string with a NUL.
        OverflowError: the part is a time that is out of range in UTC.
    """
    if isinstance(part, datetime):
        if part.tzinfo is None:
            raise ValueError("a time without a time zone")
        part.astimezone(UTC)
    if isinstance(part, str) and "\0" in part:
        raise ValueError("a string with a NUL")
