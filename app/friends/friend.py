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


class IncomingRequest(Struct, frozen=True):
    """A pending request, as its recipient sees it."""

    id: RequestId
    user_id: UserId
    name: str
    created_at: datetime


class Friend(Struct, frozen=True):
    """A friend, as listed for a user."""

    user_id: UserId
    name: str
    since: datetime
