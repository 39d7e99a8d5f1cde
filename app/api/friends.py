"""The routes under `/friends` and `/blocks`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from litestar import Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, QueryParameter
from msgspec import Struct

from app.api.idempotency import IdempotentCreation
from app.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from app.friends import friendships
from app.friends.friend import (
    Block,
    Friend,
    FriendRequest,
    PendingRequest,
    RequestId,
    Status,
)
from app.postgres.database import Database, Transaction
from app.users.user import EmailAddress, Me, UserId
from app.web.cursors import decode_cursor

Direction = Annotated[
    Literal["received", "sent"],
    QueryParameter(description="The requests to you, or those from you."),
]

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

    The response is the same whether or not the address has an account, and whether or not its
    owner has declined you. A request expires after 30 days. 403 until you have confirmed your
    address. 409 if you are already friends, or if you have blocked the owner. 429 after 5 requests
    in a minute or 20 in a day.
    """

    async def create(tx: Transaction) -> FriendRequestResponse:
        return to_response(await friendships.send_request(tx, me.id, data.email))

    return await create_once(create)


@get("/requests", operation_id="listFriendRequests")
async def list_requests(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    direction: Direction = "received",
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[PendingRequest]:
    """List the friend requests waiting for your answer, or those that you sent, newest first.

    Requests that you sent are listed until they are accepted, withdrawn or 30 days old. 403 until
    you have confirmed your address.
    """
    after = decode_cursor(cursor, tuple[RequestId])
    after_id = after[0] if after else None
    list_of = friendships.list_sent_requests if direction == "sent" else friendships.list_requests
    rows = await list_of(database, me.id, after_id, limit + 1)
    return page_of(rows, limit, key=lambda last: (last.id,))


@delete("/requests/{request_id:uuid}", operation_id="withdrawFriendRequest")
async def withdraw_request(
    request_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> None:
    """Withdraw a friend request that you sent."""
    async with database.transaction() as tx:
        await friendships.withdraw(tx, me.id, RequestId(request_id))


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


@put("/{user_id:uuid}", status_code=204, operation_id="blockUser")
async def block_user(
    user_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> None:
    """Block somebody: end the friendship, and hide friend requests between you.

    They are not told. 403 until you have confirmed your address.
    """
    async with database.transaction() as tx:
        await friendships.block(tx, me.id, UserId(user_id))


@delete("/{user_id:uuid}", operation_id="unblockUser")
async def unblock_user(
    user_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> None:
    """End a block. The friendship does not come back."""
    async with database.transaction() as tx:
        await friendships.unblock(tx, me.id, UserId(user_id))


@get("/", operation_id="listBlocks")
async def list_blocks(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Block]:
    """List the people whom you have blocked, newest first."""
    after = decode_cursor(cursor, tuple[datetime, UserId])
    position = friendships.FriendKey(*after) if after else friendships.FriendKey()
    rows = await friendships.list_blocks(database, me.id, position, limit + 1)
    return page_of(rows, limit, key=lambda last: (last.since, last.user_id))


blocks_router = Router(
    "/blocks", route_handlers=[block_user, unblock_user, list_blocks], tags=["friends"]
)

router = Router(
    "/friends",
    route_handlers=[
        send_request,
        list_requests,
        withdraw_request,
        accept_request,
        decline_request,
        list_friends,
        end_friendship,
    ],
    tags=["friends"],
)
