"""Signatures for the statements in `sql/queries/friends.sql`.

Addresses must be passed in lower case.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.activity_types import ActivityType
from app.friends.friend import (
    Block,
    Friend,
    FriendRequest,
    PendingRequest,
    RequestId,
    Status,
)
from app.postgres.statements import Queryable, statement
from app.users.user import UserId


class RequestRecipient(Struct, frozen=True):
    """The recipient of a friend request, with the name and the address of its sender."""

    id: UserId
    name: str
    email: str
    requester: str
    requester_email: str


class NewsRecipient(Struct, frozen=True):
    """The recipient of an email about friends' activities."""

    id: UserId
    name: str
    email: str


class News(Struct, frozen=True):
    """A friend's activity, with the friend's name."""

    name: str
    type: ActivityType
    started_at: datetime
    duration_s: int
    distance_m: float | None
    notes: str | None


@statement("friends")
async def lock_friendships(db: Queryable, *, user_id: UserId) -> None: ...


@statement("friends")
async def lock_pair(db: Queryable, *, first: str, second: str) -> None: ...


@statement("friends")
async def accept_request_from(
    db: Queryable, *, user_id: UserId, email: str
) -> FriendRequest | None: ...


@statement("friends")
async def answer_request(
    db: Queryable, *, request_id: RequestId, user_id: UserId, status: Status
) -> FriendRequest | None: ...


@statement("friends")
async def befriend(db: Queryable, *, user_id: UserId, friend_id: UserId) -> None: ...


@statement("friends")
async def is_friend(db: Queryable, *, user_id: UserId, email: str) -> bool: ...


@statement("friends")
async def has_blocked_address(db: Queryable, *, user_id: UserId, email: str) -> bool: ...


@statement("friends")
async def repeat_request(db: Queryable, *, user_id: UserId, email: str) -> FriendRequest | None: ...


@statement("friends")
async def request_wait(
    db: Queryable, *, user_id: UserId, max_counts: Sequence[int], periods: Sequence[timedelta]
) -> timedelta | None: ...


@statement("friends")
async def remove_expired_request(db: Queryable, *, user_id: UserId, email: str) -> None: ...


@statement("friends")
async def add_request(db: Queryable, *, user_id: UserId, email: str) -> FriendRequest: ...


@statement("friends")
async def list_requests(
    db: Queryable, *, user_id: UserId, after_id: RequestId | None, limit: int
) -> list[PendingRequest]: ...


@statement("friends")
async def withdraw_request(
    db: Queryable, *, user_id: UserId, request_id: RequestId
) -> bool | None: ...


@statement("friends")
async def list_sent_requests(
    db: Queryable, *, user_id: UserId, after_id: RequestId | None, limit: int
) -> list[PendingRequest]: ...


@statement("friends")
async def add_block(db: Queryable, *, user_id: UserId, blocked_id: UserId) -> bool | None: ...


@statement("friends")
async def withdraw_requests_to(db: Queryable, *, user_id: UserId, other_id: UserId) -> None: ...


@statement("friends")
async def remove_block(db: Queryable, *, user_id: UserId, blocked_id: UserId) -> None: ...


@statement("friends")
async def list_blocks(
    db: Queryable, *, user_id: UserId, after: datetime | None, after_id: UserId | None, limit: int
) -> list[Block]: ...


@statement("friends")
async def list_friends(
    db: Queryable, *, user_id: UserId, after: datetime | None, after_id: UserId | None, limit: int
) -> list[Friend]: ...


@statement("friends")
async def unfriend(db: Queryable, *, user_id: UserId, friend_id: UserId) -> list[UserId]: ...


@statement("friends")
async def request_recipient(db: Queryable, *, request_id: RequestId) -> RequestRecipient | None: ...


@statement("friends")
async def add_news(db: Queryable, *, user_id: UserId, activity_id: UUID) -> list[UserId]: ...


@statement("friends")
async def news_recipient(db: Queryable, *, user_id: UserId) -> NewsRecipient | None: ...


@statement("friends")
async def unreported_activities(db: Queryable, *, user_id: UserId) -> list[UUID]: ...


@statement("friends")
async def news(db: Queryable, *, activity_ids: Sequence[UUID]) -> list[News]: ...


@statement("friends")
async def remove_news(db: Queryable, *, user_id: UserId, activity_ids: Sequence[UUID]) -> None: ...


@statement("friends")
async def lock_news_recipient(db: Queryable, *, user_id: UserId) -> bool | None: ...
