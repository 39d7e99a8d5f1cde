"""What is known of a person, and what a name, an address and a password may look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NewType
from uuid import UUID

from msgspec import Meta, Struct

UserId = NewType("UserId", UUID)
ResetRequestId = NewType("ResetRequestId", UUID)

# The dot-atom of RFC 5322 before the @, host names with a dot after it. Whether anyone reads the
# mail is for the confirmation to find out.
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

EmailAddress = Annotated[
    str,
    Meta(
        max_length=254,
        pattern=rf"^(?=[^@]{{1,64}}@){_LOCAL}@{_LABEL}(\.{_LABEL})+$(?!\n)",
        description="An email address such as kim@example.com. Case is ignored.",
    ),
]

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        # No control characters, and none that reorder the text around a name in an email.
        pattern=r"^(?=.*\S)[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+$(?!\n)",
        description="1 to 100 printable characters, not only spaces.",
    ),
]

Password = Annotated[
    str,
    Meta(
        min_length=10,
        max_length=200,
        description="10 to 200 characters.",
    ),
]


class Me(Struct, frozen=True):
    """Who sent a request, as far as its token tells."""

    id: UserId
    is_admin: bool


class Account(Struct, frozen=True):
    """An account, as its owner sees it after signing up."""

    id: UserId
    email: str
    name: str
    created_at: datetime


class Preferences(Struct, frozen=True):
    """Which of the emails that one can refuse a person wants."""

    weekly_summary: bool
    friend_activity: bool
    monthly_report: bool


class Profile(Struct, frozen=True):
    """An account, as its owner sees it when signed in."""

    id: UserId
    email: str
    name: str
    is_admin: bool
    preferences: Preferences
    confirmed_at: datetime | None
    created_at: datetime
