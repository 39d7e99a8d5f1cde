"""The routes under `/friends`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath
from msgspec import Struct

from app.api.idempotency import IdempotentCreation
from app.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from app.friends import friendships
from app.friends.friend import Friend, FriendRequest, IncomingRequest, RequestId, Status
from app.postgres.database import Database, Transaction
from app.users.user import EmailAddress, Me, UserId
from app.web.cursors import decode_cursor

NEW_FRIEND_REQUEST = Example(value={"email": "sam@example.com"})


class NewFriendRequest(Struct, frozen=True, forbid_unknown_fields=True):
    email: EmailAddress


class FriendRequestResponse(Struct, frozen=True):
    """A friend request, as both its sender and its recipient see it."""

    id: RequestId
    status: Status


def to_response(request: FriendRequest) -> FriendRequestResponse:
    return FriendRequestResponse(request.id, request.status)


@post("/requests", operation_id="sendFriendRequest")
async def send_request(
    data: Annotated[NewFriendRequest, Body(examples=[NEW_FRIEND_REQUEST])],
    me: NamedDependency[Me],
    create_once: NamedDependency[IdempotentCreation],
) -> Response[FriendRequestResponse]:
    """Send a friend request to an email address, or accept one that its owner has sent you.

    The response is the same whether or not the address has an account. 409 if you are already
    friends.
    """

    async def create(tx: Transaction) -> FriendRequestResponse:
        return to_response(await friendships.send_request(tx, me.id, data.email))

    return await create_once(create)


@get("/requests", operation_id="listFriendRequests")
async def list_requests(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[IncomingRequest]:
    """List the friend requests waiting for your answer, newest first."""
    after = decode_cursor(cursor, tuple[RequestId])
    rows = await friendships.list_requests(database, me.id, after[0] if after else None, limit + 1)
    return page_of(rows, limit, key=lambda last: (last.id,))


@post("/requests/{request_id:uuid}/accept", status_code=200, operation_id="acceptFriendRequest")
async def accept_request(
    request_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> FriendRequestResponse:
    """Accept a friend request."""
    async with database.transaction() as tx:
        return to_response(await friendships.accept(tx, me.id, RequestId(request_id)))


@post("/requests/{request_id:uuid}/decline", status_code=200, operation_id="declineFriendRequest")
async def decline_request(
    request_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> FriendRequestResponse:
    """Decline a friend request."""
    async with database.transaction() as tx:
        return to_response(await friendships.decline(tx, me.id, RequestId(request_id)))


@get("/", operation_id="listFriends")
async def list_friends(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Friend]:
    """List your friends, newest first."""
    after = decode_cursor(cursor, tuple[datetime, UserId])
    position = friendships.FriendKey(*after) if after else friendships.FriendKey()
    rows = await friendships.list_friends(database, me.id, position, limit + 1)
    return page_of(rows, limit, key=lambda last: (last.since, last.user_id))


@delete("/{user_id:uuid}", operation_id="endFriendship")
async def end_friendship(
    user_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> None:
    """End a friendship, for both users."""
    async with database.transaction() as tx:
        await friendships.unfriend(tx, me.id, UserId(user_id))


router = Router(
    "/friends",
    route_handlers=[
        send_request,
        list_requests,
        accept_request,
        decline_request,
        list_friends,
        end_friendship,
    ],
    tags=["friends"],
)
