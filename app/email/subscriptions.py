"""Subscriptions: the emails that people can turn off, and tokens to do so without signing in.

A token names a user and a subscription, and is signed. It needs no database row and never expires,
so the links in old emails keep working. RFC 8058 specifies how mail clients unsubscribe with it.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Literal, NamedTuple
from uuid import UUID

Subscription = Literal["weekly_summary", "monthly_report", "friend_activity", "friend_requests"]


class SubscriptionText(NamedTuple):
    """How the pages describe a subscription."""

    label: str
    hint: str
    """When the email is sent, and what it contains."""
    emails: str
    """The emails, in the plural, to complete `Unsubscribe from …`."""


SUBSCRIPTIONS: Mapping[Subscription, SubscriptionText] = {
    "weekly_summary": SubscriptionText(
        "Weekly summary",
        "Every Sunday: your week in numbers, compared with the week before.",
        "weekly summaries",
    ),
    "monthly_report": SubscriptionText(
        "Monthly report",
        "On the 1st, when your report for the previous month is ready."
        " The report is created either way.",
        "monthly report emails",
    ),
    "friend_activity": SubscriptionText(
        "Friends' activities",
        "What your friends have recorded, at most once an hour.",
        "emails about your friends' activities",
    ),
    "friend_requests": SubscriptionText(
        "Friend requests",
        "When somebody asks to be your friend. You can see all requests under Friends either way.",
        "emails about friend requests",
    ),
}
"""The subscriptions, as ordered on the pages. Everybody is subscribed until they opt out."""


def unsubscribe_token(secret: str, user_id: UUID, subscription: Subscription) -> str:
    """Return the token for an unsubscribe link. It can be used only to unsubscribe."""
    user = urlsafe_b64encode(user_id.bytes).decode().rstrip("=")
    return f"{subscription}.{user}.{_signature(secret, user_id, subscription)}"


def read_unsubscribe_token(secret: str, token: str) -> tuple[UUID, Subscription] | None:
    """Return the user and the subscription that a token names; None if we did not sign it."""
    name, _, rest = token.partition(".")
    user, _, signature = rest.partition(".")
    subscription = next((each for each in SUBSCRIPTIONS if each == name), None)
    try:
        user_id = UUID(bytes=urlsafe_b64decode(f"{user}=="))
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
