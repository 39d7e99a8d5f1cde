"""Friendships: send, answer and withdraw requests; list and end friendships; block people."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from app import jobs, metrics, problems
from app.errors import Conflict, Invalid, NotFound, TooMany
from app.friends import statements
from app.friends.emails import SendFriendRequestEmail
from app.friends.friend import (
    Block,
    Friend,
    FriendRequest,
    PendingRequest,
    RequestId,
)
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.settings import Rate
from app.users.confirmation import confirmed_address
from app.users.user import UserId


class FriendKey(NamedTuple):
    """The sort key of the last friend or block on the previous page. Its fields are None for page
    one."""

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


LIMIT = "friend_requests"
metrics.refused.labels(LIMIT)  # so that the series exists before the first refusal
REQUEST_RATES = (Rate(5, timedelta(minutes=1)), Rate(20, timedelta(days=1)))
"""How many friend requests a person may send. Postgres counts their rows: each may send an email to
somebody who did not ask for it, so the limits must hold while Redis is unavailable."""


async def send_request(tx: Transaction, user_id: UserId, email: str) -> FriendRequest:
    """Send a friend request to this address, or accept a pending one from its owner.

    A request is stored under the address. Therefore the response does not reveal whether the
    address has an account, and somebody who confirms it later finds the request. A request expires
    after 30 days. Repeating it before then returns the same request and sends no second email.
    Whether it was declined or its sender is blocked is not revealed either: for another 90 days,
    nobody sees the requests that a declined person sends. The job emails the recipient, if an
    account has confirmed the address.

    Raises:
        Unconfirmed: the user has not confirmed their address.
        Invalid: this is the user's own address.
        Conflict: the two users are already friends, or the user has blocked the other.
        TooMany: the user has sent too many requests.
    """
    email = email.lower()
    own = await confirmed_address(tx, user_id)
    if email == own:
        raise Invalid("You cannot add yourself as a friend.", field="email")
    await statements.lock_friendships(tx, user_id=user_id)
    first, second = sorted((own, email))
    await statements.lock_pair(tx, first=first, second=second)
    if await statements.has_blocked_address(tx, user_id=user_id, email=email):
        raise Conflict("You have blocked this person. Unblock them first.")
    accepted = await statements.accept_request_from(tx, user_id=user_id, email=email)
    if accepted is not None:
        await statements.befriend(tx, user_id=user_id, friend_id=accepted.requester_id)
        return accepted
    if await statements.is_friend(tx, user_id=user_id, email=email):
        raise Conflict("You are already friends.", problem=problems.ALREADY_FRIENDS)
    repeated = await statements.repeat_request(tx, user_id=user_id, email=email)
    if repeated is not None:
        return repeated
    await _check_rates(tx, user_id)
    await statements.remove_expired_request(tx, user_id=user_id, email=email)
    request = await statements.add_request(tx, user_id=user_id, email=email)
    await jobs.enqueue(tx, SendFriendRequestEmail(request_id=request.id))
    return request


async def _check_rates(tx: Transaction, user_id: UserId) -> None:
    wait = await statements.request_wait(
        tx,
        user_id=user_id,
        max_counts=[rate.max_count for rate in REQUEST_RATES],
        periods=[rate.period for rate in REQUEST_RATES],
    )
    if wait is not None:
        metrics.refused.labels(LIMIT).inc()
        raise TooMany(
            "You have sent too many friend requests. You can send 5 a minute and 20 a day.",
            retry_after=ceil(wait.total_seconds()),
        )


async def withdraw(tx: Transaction, user_id: UserId, request_id: RequestId) -> None:
    """Withdraw a request. Its recipient no longer sees it, and can no longer accept it.

    Raises:
        NotFound: this user has no such pending request.
    """
    if not await statements.withdraw_request(tx, user_id=user_id, request_id=request_id):
        raise _no_such_request()


async def accept(tx: Transaction, user_id: UserId, request_id: RequestId) -> FriendRequest:
    """Accept a request.

    Raises:
        Unconfirmed: the user has not confirmed their address.
        NotFound: no such request to this user is pending.
    """
    await confirmed_address(tx, user_id)
    await statements.lock_friendships(tx, user_id=user_id)
    request = await statements.answer_request(
        tx, request_id=request_id, user_id=user_id, status="accepted"
    )
    if request is None:
        raise _no_such_request()
    await statements.befriend(tx, user_id=user_id, friend_id=request.requester_id)
    return request


async def decline(tx: Transaction, user_id: UserId, request_id: RequestId) -> FriendRequest:
    """Decline a request, without notifying its sender, who cannot ask again for 90 days.

    Raises:
        Unconfirmed: the user has not confirmed their address.
        NotFound: no such request to this user is pending.
    """
    await confirmed_address(tx, user_id)
    request = await statements.answer_request(
        tx, request_id=request_id, user_id=user_id, status="declined"
    )
    if request is None:
        raise _no_such_request()
    return request


async def list_requests(
    db: Queryable, user_id: UserId, after_id: RequestId | None, limit: int
) -> list[PendingRequest]:
    """Return at most `limit` pending requests to this user, newest first.

    Raises:
        Unconfirmed: the user has not confirmed their address.
    """
    await confirmed_address(db, user_id)
    return await statements.list_requests(db, user_id=user_id, after_id=after_id, limit=limit)


async def list_sent_requests(
    db: Queryable, user_id: UserId, after_id: RequestId | None, limit: int
) -> list[PendingRequest]:
    """Return at most `limit` requests from this user that have not been accepted, newest first.

    Whether a request was declined is not revealed.

    Raises:
        Unconfirmed: the user has not confirmed their address.
    """
    await confirmed_address(db, user_id)
    return await statements.list_sent_requests(db, user_id=user_id, after_id=after_id, limit=limit)


def _no_such_request() -> NotFound:
    return NotFound("There is no such pending request.")


async def block(tx: Transaction, user_id: UserId, blocked_id: UserId) -> None:
    """Block somebody, without notifying them.

    The friendship ends, and so do this user's requests to them. While the block lasts, neither sees
    or gets emails about the other's requests. The blocked person can still send requests, as if
    nothing had happened.

    Raises:
        Unconfirmed: the user has not confirmed their address.
        Invalid: this is the user themselves.
        NotFound: there is no such user.
    """
    await confirmed_address(tx, user_id)
    if blocked_id == user_id:
        raise Invalid("You cannot block yourself.", field="user_id")
    await statements.lock_friendships(tx, user_id=user_id)
    if not await statements.add_block(tx, user_id=user_id, blocked_id=blocked_id):
        raise NotFound("User not found.")
    # In this order: if the other is just now accepting a request, this waits, then unfriends them.
    await statements.withdraw_requests_to(tx, user_id=user_id, other_id=blocked_id)
    await statements.unfriend(tx, user_id=user_id, friend_id=blocked_id)


async def unblock(tx: Transaction, user_id: UserId, blocked_id: UserId) -> None:
    """End a block. Nothing happens if there is none. The friendship does not come back."""
    await statements.remove_block(tx, user_id=user_id, blocked_id=blocked_id)


async def list_blocks(db: Queryable, user_id: UserId, after: FriendKey, limit: int) -> list[Block]:
    """Return at most `limit` people whom this user has blocked, newest first."""
    return await statements.list_blocks(
        db, user_id=user_id, after=after.since, after_id=after.user_id, limit=limit
    )
