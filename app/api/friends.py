"""Friends and requests: `/friends`."""

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
from app.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, page
from app.friends import friendships
from app.friends.friend import Friend, FriendRequest, IncomingRequest, RequestId, Status
from app.postgres.database import Database, Transaction
from app.users.user import EmailAddress, Me, UserId
from app.web.cursors import after_cursor

NEW_REQUEST = Example(value={"email": "sam@example.com"})


class NewRequest(Struct, frozen=True, forbid_unknown_fields=True):
    email: EmailAddress


class ShownRequest(Struct, frozen=True):
    """A request, as the one who asked and the one who answered see it."""

    id: RequestId
    status: Status


def shown(request: FriendRequest) -> ShownRequest:
    return ShownRequest(request.id, request.status)


@post("/requests", operation_id="askFriend")
async def ask_friend(
    data: Annotated[NewRequest, Body(examples=[NEW_REQUEST])],
    me: NamedDependency[Me],
    create_once: NamedDependency[IdempotentCreation],
) -> Response[ShownRequest]:
    """Send a friend request to an email address. If its owner has asked you first, accept theirs.

    The response is the same whether or not the address has an account. 409 if you are already
    friends.
    """

    async def create(tx: Transaction) -> ShownRequest:
        return shown(await friendships.ask(tx, me.id, data.email))

    return await create_once(create)


@get("/requests", operation_id="listFriendRequests")
async def list_requests(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[IncomingRequest]:
    """List the friend requests waiting for your answer, newest first."""
    after = after_cursor(cursor, tuple[RequestId])
    found = await friendships.list_requests(database, me.id, after[0] if after else None, limit + 1)
    return page(found, limit, key=lambda last: (last.id,))


@post("/requests/{request_id:uuid}/accept", status_code=200, operation_id="acceptFriend")
async def accept_friend(
    request_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> ShownRequest:
    """Accept a friend request."""
    async with database.transaction() as tx:
        return shown(await friendships.accept(tx, me.id, RequestId(request_id)))


@post("/requests/{request_id:uuid}/decline", status_code=200, operation_id="declineFriend")
async def decline_friend(
    request_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> ShownRequest:
    """Decline a friend request."""
    async with database.transaction() as tx:
        return shown(await friendships.decline(tx, me.id, RequestId(request_id)))


@get("/", operation_id="listFriends")
async def list_friends(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Friend]:
    """List your friends, newest first."""
    after = after_cursor(cursor, tuple[datetime, UserId])
    position = friendships.FriendKey(*after) if after else friendships.FriendKey()
    found = await friendships.list_friends(database, me.id, position, limit + 1)
    return page(found, limit, key=lambda last: (last.since, last.user_id))


@delete("/{user_id:uuid}", operation_id="endFriendship")
async def end_friendship(
    user_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> None:
    """Remove a friend, for both sides."""
    async with database.transaction() as tx:
        await friendships.unfriend(tx, me.id, UserId(user_id))


router = Router(
    "/friends",
    route_handlers=[
        ask_friend,
        list_requests,
        accept_friend,
        decline_friend,
        list_friends,
        end_friendship,
    ],
    tags=["friends"],
)
