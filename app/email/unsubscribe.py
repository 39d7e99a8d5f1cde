"""Subscriptions, and the tokens by which an email is refused without signing in (RFC 8058).

A token names a person and a subscription and is signed, so that it needs no row and never expires:
old emails keep their way out.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal, get_args
from uuid import UUID

Subscription = Literal["weekly_summary", "friend_activity", "monthly_report"]
"""Each is also the name of the preference in `users`."""

SUBSCRIPTIONS: tuple[Subscription, ...] = get_args(Subscription)


def unsubscribe_token(secret: str, user_id: UUID, subscription: Subscription) -> str:
    """What stands in the link: it opens nothing but the way out."""
    person = urlsafe_b64encode(user_id.bytes).decode().rstrip("=")
    return f"{subscription}.{person}.{_signature(secret, user_id, subscription)}"


def read_token(secret: str, token: str) -> tuple[UUID, Subscription] | None:
    """Who refuses what; None when we have not signed it."""
    name, _, rest = token.partition(".")
    person, _, signature = rest.partition(".")
    subscription = next((known for known in SUBSCRIPTIONS if known == name), None)
    try:
        user_id = UUID(bytes=urlsafe_b64decode(f"{person}=="))
    except ValueError:
        return None
    if subscription is None:
        return None
    expected = _signature(secret, user_id, subscription)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return None
    return user_id, subscription


def _signature(secret: str, user_id: UUID, subscription: Subscription) -> str:
    text = f"unsubscribe\0{user_id}\0{subscription}".encode()
    digest = hmac.digest(secret.encode(), text, "sha256")
    return urlsafe_b64encode(digest[:18]).decode()
