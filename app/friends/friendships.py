"""Friendships: ask, accept, decline, list and end them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from app import jobs
from app.errors import Conflict, Invalid, NotFound
from app.friends import statements
from app.friends.emails import FriendRequestEmail
from app.friends.friend import Friend, FriendRequest, IncomingRequest, RequestId
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.users.user import UserId


class FriendKey(NamedTuple):
    """The last friend of the page before."""

    since: datetime | None = None
    user_id: UserId | None = None


async def list_friends(
    db: Queryable, user_id: UserId, after: FriendKey, limit: int
) -> list[Friend]:
    """At most `limit` friends, newest first."""
    return await statements.list_friends(
        db, user_id=user_id, after=after.since, after_id=after.user_id, limit=limit
    )


async def unfriend(tx: Transaction, user_id: UserId, friend_id: UserId) -> None:
    """Be no friends any more, on either side. The other is not told.

    Raises:
        NotFound: they are not friends.
    """
    if not await statements.unfriend(tx, user_id=user_id, friend_id=friend_id):
        raise NotFound("Friend not found.")


async def send_request(tx: Transaction, user_id: UserId, email: str) -> FriendRequest:
    """Ask whoever has this address to be a friend, or accept what they asked first.

    A request is kept under the address. So an address that nobody has is answered, once and again,
    exactly as one that somebody has; who signs up with it later finds the request. Asking twice
    gives the first request again; a declined one may be asked anew. An email tells the owner, if
    there is one and the address is confirmed: that is found out by the job.

    Raises:
        Conflict: they are friends already.
        Invalid: it is the person's own address.
    """
    email = email.lower()
    own = await statements.own_address(tx, user_id=user_id)
    if email == own:
        raise Invalid("You cannot add yourself as a friend.", field="email")
    one, other = sorted((own, email))
    await statements.lock_pair(tx, one=one, other=other)
    accepted = await statements.accept_request_from(tx, user_id=user_id, email=email)
    if accepted is not None:
        await statements.befriend(tx, user_id=user_id, friend_id=accepted.requester_id)
        return accepted
    if await statements.is_friend(tx, user_id=user_id, email=email):
        raise Conflict("You are already friends.")
    request = await statements.add_request(tx, user_id=user_id, email=email)
    await jobs.enqueue(tx, FriendRequestEmail(request_id=request.id))
    return request


async def accept(tx: Transaction, user_id: UserId, request_id: RequestId) -> FriendRequest:
    """Be friends with the one who asked.

    Raises:
        NotFound: no such request waits for this person's answer.
    """
    request = await statements.answer_request(
        tx, request_id=request_id, user_id=user_id, status="accepted"
    )
    if request is None:
        raise _no_such_request()
    await statements.befriend(tx, user_id=user_id, friend_id=request.requester_id)
    return request


async def decline(tx: Transaction, user_id: UserId, request_id: RequestId) -> FriendRequest:
    """Refuse. The one who asked is not told.

    Raises:
        NotFound: no such request waits for this person's answer.
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
    """At most `limit` requests that wait for this person's answer, newest first."""
    return await statements.list_requests(db, user_id=user_id, after_id=after_id, limit=limit)


def _no_such_request() -> NotFound:
    return NotFound("There is no such pending request.")
