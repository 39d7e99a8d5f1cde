"""Friends, friend requests and blocked people. The email about a request links here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect
from msgspec import Struct

from app.errors import Unconfirmed
from app.friends import friendships
from app.friends.friend import RequestId
from app.pages.forms import FORM_FAILURES, submitted_form
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.users.accounts import profile_of
from app.users.confirmation import confirmed_address
from app.users.user import EmailAddress, Me, UserId
from app.web.cursors import decode_cursor, encode_cursor

PAGE_SIZE = 50
MAX_SHOWN = 100
"""The most requests, and the most blocked people, shown at a time. Others appear once some of these
are gone."""


class FriendRequestForm(Struct, frozen=True):
    email: EmailAddress


@get("/friends")
async def list_friends(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    after: Annotated[str | None, QueryParameter(max_length=500)] = None,
) -> Response[str]:
    return await _render_list(request, me, database, after=after)


@post("/friends")
async def send_request(
    request: Request[Me, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Response[Any]:
    """Send a request. The response does not reveal whether the address has an account."""
    form = await submitted_form(request)
    try:
        email = form.read(FriendRequestForm).email
        async with database.transaction() as tx:
            sent = await friendships.send_request(tx, me.id, email)
    except FORM_FAILURES as error:
        return await _render_list(request, me, database, form=form.with_error(error), error=error)
    if sent.status == "accepted":
        return see_other(
            request, "/friends", "They had already sent you a request. You are friends now."
        )
    return see_other(request, "/friends", f"Request sent to {email}.")


@post("/friends/requests/{request_id:uuid}/accept")
async def accept_request(
    request_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.accept(tx, me.id, RequestId(request_id))
    return see_other(request, "/friends", "You are friends now.")


@post("/friends/requests/{request_id:uuid}/decline")
async def decline_request(
    request_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.decline(tx, me.id, RequestId(request_id))
    return see_other(request, "/friends", "Request declined. We will not tell the sender.")


@post("/friends/{friend_id:uuid}/end")
async def remove_friend(
    friend_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.unfriend(tx, me.id, UserId(friend_id))
    return see_other(request, "/friends", "Friend removed. We will not tell them.")


@post("/friends/requests/{request_id:uuid}/withdraw")
async def withdraw_request(
    request_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.withdraw(tx, me.id, RequestId(request_id))
    return see_other(request, "/friends", "Request withdrawn.")


@post("/friends/{friend_id:uuid}/block")
async def block_user(
    friend_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.block(tx, me.id, UserId(friend_id))
    return see_other(request, "/friends", "Person blocked. We will not tell them.")


@post("/friends/{friend_id:uuid}/unblock")
async def unblock_user(
    friend_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.unblock(tx, me.id, UserId(friend_id))
    return see_other(request, "/friends", "Person unblocked.")


async def _render_list(
    request: Request[Me, Any, Any],
    me: Me,
    database: Database,
    *,
    after: str | None = None,
    **context: Any,
) -> Response[str]:
    try:
        await confirmed_address(database, me.id)
    except Unconfirmed:
        profile = await profile_of(database, me.id)
        return render_page(request, "friends_unconfirmed", profile=profile, **context)
    key = decode_cursor(after, tuple[datetime, UserId])
    position = friendships.FriendKey(*key) if key else friendships.FriendKey()
    rows = await friendships.list_friends(database, me.id, position, PAGE_SIZE + 1)
    items = rows[:PAGE_SIZE]
    next_url = None
    if len(rows) > PAGE_SIZE:
        next_url = f"/friends?after={encode_cursor((items[-1].since, items[-1].user_id))}"
    return render_page(
        request,
        "friends",
        friend_requests=await friendships.list_requests(database, me.id, None, MAX_SHOWN),
        sent_requests=await friendships.list_sent_requests(database, me.id, None, MAX_SHOWN),
        blocks=await friendships.list_blocks(database, me.id, friendships.FriendKey(), MAX_SHOWN),
        friends=items,
        first_url="/friends" if after else None,
        next_url=next_url,
        **context,
    )


routes = [
    list_friends,
    send_request,
    accept_request,
    decline_request,
    withdraw_request,
    remove_friend,
    block_user,
    unblock_user,
]
