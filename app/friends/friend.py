"""Friends and requests, as their owners see them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NewType
from uuid import UUID

from msgspec import Struct

from app.users.user import UserId

RequestId = NewType("RequestId", UUID)
Status = Literal["pending", "accepted", "declined"]


class FriendRequest(Struct, frozen=True):
    """A request, as it stands. It is addressed to an address, which may be nobody's."""

    id: RequestId
    status: Status
    requester_id: UserId


class IncomingRequest(Struct, frozen=True):
    """A request that waits for an answer, as the one who is asked sees it."""

    id: RequestId
    user_id: UserId
    name: str
    created_at: datetime


class Friend(Struct, frozen=True):
    user_id: UserId
    name: str
    since: datetime
