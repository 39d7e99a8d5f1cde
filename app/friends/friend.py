"""Friends and friend requests."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NewType
from uuid import UUID

from msgspec import Struct

from app.users.user import UserId

RequestId = NewType("RequestId", UUID)
Status = Literal["pending", "accepted", "declined"]


class FriendRequest(Struct, frozen=True):
    """A friend request. The address that it was sent to may have no account."""

    id: RequestId
    status: Status
    requester_id: UserId


class PendingRequest(Struct, frozen=True):
    """A request that has not been answered, and the other person."""

    id: RequestId
    user_id: UserId | None
    """Null for a request that the user sent, so that it does not reveal who has an account."""
    name: str | None
    """Null if `user_id` is."""
    email: str
    """The address that the request went to, or its sender's confirmed address: anybody can use
    somebody else's name."""
    created_at: datetime


class Block(Struct, frozen=True):
    """Somebody whom a user has blocked."""

    user_id: UserId
    name: str
    since: datetime


class Friend(Struct, frozen=True):
    """A friend, as listed for a user."""

    user_id: UserId
    name: str
    since: datetime
