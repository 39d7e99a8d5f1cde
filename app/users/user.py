"""Users: their types, and the rules for names, email addresses and passwords."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NewType
from unicodedata import normalize
from uuid import UUID

from msgspec import Meta, Struct, defstruct

from app.email.subscriptions import SUBSCRIPTIONS

UserId = NewType("UserId", UUID)
ResetRequestId = NewType("ResetRequestId", UUID)

# Before the @, an RFC 5322 dot-atom; after it, a host name that contains a dot. The confirmation
# email shows whether anyone reads mail for the address.
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

_NOT_PRINTABLE = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe6b\ufeff\uff20\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""Controls, line separators, bidirectional controls, fillers, tags, and other forms of @."""

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
        max_length=60,
        # A name appears in emails to other people, and some mail programs turn text into links.
        # Invisible characters, and those that reorder the text around a name, are not printable.
        pattern=rf"^(?!.*(://|[wW]{{3}}\.))(?=.*[^\W_])[^@{_NOT_PRINTABLE}]+$(?!\n)",
        description="1 to 60 printable characters, with a letter or digit and without a link or @.",
    ),
]

Password = Annotated[
    str,
    Meta(
        min_length=10,
        max_length=128,
        description="10 to 128 characters, and not easy to guess.",
    ),
]


def normalize_email(email: str) -> str:
    """Return the form of an address under which it is counted and looked up (NFKC, case folded)."""
    return normalize("NFKC", email).casefold()


class Me(Struct, frozen=True):
    """The user who sent a request, according to its session token."""

    id: UserId
    is_admin: bool


class Account(Struct, frozen=True):
    """An account, as returned after signing up."""

    id: UserId
    email: str
    name: str
    created_at: datetime


Preferences = defstruct("Preferences", [(name, bool) for name in SUBSCRIPTIONS], frozen=True)
"""Which of the optional emails a user wants: a field for each subscription."""


class Profile(Struct, frozen=True):
    """An account with its preferences, as its signed-in owner sees it."""

    id: UserId
    email: str
    name: str
    is_admin: bool
    preferences: Preferences  # type: ignore[valid-type] # mypy cannot see a struct made at run time
    confirmed_at: datetime | None
    erase_at: datetime | None
    """When the account is erased unless its address is confirmed; null if it is confirmed, or if no
    confirmation email could be sent yet."""
    created_at: datetime
