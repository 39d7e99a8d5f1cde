"""Friendships: send, accept and decline requests; list and end friendships."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from app import jobs, problems
from app.errors import Conflict, Invalid, NotFound
from app.friends import statements
from app.friends.emails import SendFriendRequestEmail
from app.friends.friend import Friend, FriendRequest, IncomingRequest, RequestId
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.users.user import UserId


class FriendKey(NamedTuple):
    """The sort key of the last friend on the previous page. Its fields are None for page one."""

    since: datetime | None = None
    user_id: UserId | None = None


async def list_friends(
    db: Queryable, user_id: UserId, after: FriendKey, limit: int
) -> list[Friend]:
    """Return at most `limit` friends, newest first."""
    return await statements.list_friends(
        db, user_id=user_id, after=after.since, after_id=after.user_id, limit=limit
    )


async def unfriend(tx: Transaction, user_id: UserId, friend_id: UserId) -> None:
    """End a friendship for both users, without notifying the other.

    Raises:
        NotFound: the two users are not friends.
    """
    if not await statements.unfriend(tx, user_id=user_id, friend_id=friend_id):
        raise NotFound("Friend not found.")


async def send_request(tx: Transaction, user_id: UserId, email: str) -> FriendRequest:
    """Send a friend request to this address, or accept a pending one from its owner.

    A request is stored under the address. Therefore the response does not reveal whether the
    address has an account, and somebody who registers it later finds the request. Repeating a
    pending request returns that request; a declined request can be sent again. A job emails the
    recipient, if they have an account and have confirmed the address.

    Raises:
        Conflict: the two users are already friends.
        Invalid: this is the user's own address.
    """
    email = email.lower()
    own = await statements.own_address(tx, user_id=user_id)
    if email == own:
        raise Invalid("You cannot add yourself as a friend.", field="email")
    first, second = sorted((own, email))
    await statements.lock_pair(tx, first=first, second=second)
    accepted = await statements.accept_request_from(tx, user_id=user_id, email=email)
    if accepted is not None:
        await statements.befriend(tx, user_id=user_id, friend_id=accepted.requester_id)
        return accepted
    if await statements.is_friend(tx, user_id=user_id, email=email):
        raise Conflict("You are already friends.", problem=problems.ALREADY_FRIENDS)
    request = await statements.add_request(tx, user_id=user_id, email=email)
    await jobs.enqueue(tx, SendFriendRequestEmail(request_id=request.id))
    return request


async def accept(tx: Transaction, user_id: UserId, request_id: RequestId) -> FriendRequest:
    """Accept a request.

    Raises:
        NotFound: no such request to this user is pending.
    """
    request = await statements.answer_request(
        tx, request_id=request_id, user_id=user_id, status="accepted"
    )
    if request is None:
        raise _no_such_request()
    await statements.befriend(tx, user_id=user_id, friend_id=request.requester_id)
    return request


async def decline(tx: Transaction, user_id: UserId, request_id: RequestId) -> FriendRequest:
    """Decline a request, without notifying its sender.

    Raises:
        NotFound: no such request to this user is pending.
    """
    request = await statements.answer_request(
        tx, request_id=request_id, user_id=user_id, status="declined"
    )
    if request is None:
        raise _no_such_request()
    return request


async def list_requests(
    db: Queryable, user_id: UserId, after_id: RequestId | None, limit: int
) -> list[IncomingRequest]:
    """Return at most `limit` pending requests to this user, newest first."""
    return await statements.list_requests(db, user_id=user_id, after_id=after_id, limit=limit)


def _no_such_request() -> NotFound:
    return NotFound("There is no such pending request.")
