"""Friends, those who ask to be, and asking. The email on a request leads here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect
from msgspec import Struct

from app.friends import friendships
from app.friends.friend import RequestId
from app.pages.forms import REFUSALS, sent_form
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.users.user import EmailAddress, Me, UserId
from app.web.cursors import decode_cursor, encode_cursor

A_PAGE = 50
MOST_WAITING = 100
"""Requests that are shown at once; the others come up as these are answered."""


class Asked(Struct, frozen=True):
    email: EmailAddress


@get("/friends")
async def friends(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    after: Annotated[str | None, QueryParameter(max_length=500)] = None,
) -> Response[str]:
    return await _shown(request, me, database, after=after)


@post("/friends")
async def ask(
    request: Request[Me, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Response[Any]:
    """The answer is the same whether or not anybody has the address."""
    form = await sent_form(request)
    try:
        wanted = form.read(Asked)
        async with database.transaction() as tx:
            asked = await friendships.send_request(tx, me.id, wanted.email)
    except REFUSALS as error:
        return await _shown(request, me, database, form=form.refused(error), error=error)
    if asked.status == "accepted":
        return see_other(
            request, "/friends", "They had already sent you a request. You are friends now."
        )
    return see_other(request, "/friends", f"Request sent to {wanted.email}.")


@post("/friends/requests/{request_id:uuid}/accept")
async def accept(
    request_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.accept(tx, me.id, RequestId(request_id))
    return see_other(request, "/friends", "You are friends now.")


@post("/friends/requests/{request_id:uuid}/decline")
async def decline(
    request_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.decline(tx, me.id, RequestId(request_id))
    return see_other(request, "/friends", "Request declined. We will not tell them.")


@post("/friends/{friend_id:uuid}/end")
async def end(
    friend_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await friendships.unfriend(tx, me.id, UserId(friend_id))
    return see_other(request, "/friends", "Friend removed. We will not tell them.")


async def _shown(
    request: Request[Me, Any, Any],
    me: Me,
    database: Database,
    *,
    after: str | None = None,
    **context: Any,
) -> Response[str]:
    key = decode_cursor(after, tuple[datetime, UserId])
    position = friendships.FriendKey(*key) if key else friendships.FriendKey()
    found = await friendships.list_friends(database, me.id, position, A_PAGE + 1)
    shown = found[:A_PAGE]
    following = None
    if len(found) > A_PAGE:
        following = f"/friends?after={cursor_of((shown[-1].since, shown[-1].user_id))}"
    return render_page(
        request,
        "friends",
        waiting=await friendships.list_requests(database, me.id, None, MOST_WAITING),
        friends=shown,
        first="/friends" if after else None,
        following=following,
        **context,
    )


routes = [friends, ask, accept, decline, end]
