"""The routes under `/sessions`, to sign in and out."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, Router, delete, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body
from msgspec import Meta, Struct

from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users.passwords import Passwords
from app.users.sessions import Session, check_sign_in, close_session, open_session
from app.users.user import Me
from app.web.connection import device_cookie, resources_of, sign_in_attempt


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Credentials. Only their length is limited: malformed credentials are simply wrong."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=200)]


SIGN_IN = Example(value={"email": "kim@example.com", "password": "a long walk on the beach"})


@post("/", opt={"public": True}, operation_id="signIn")
async def sign_in(
    data: Annotated[SignIn, Body(examples=[SIGN_IN])],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> Response[Session]:
    """Sign in. Send the token with later requests, as `Authorization: Bearer <token>`.

    401 if the address or the password is wrong, without saying which. 429 after too many attempts:
    10 in 15 minutes for an account, 30 for a client. The cookie marks a device on which you have
    signed in; if the client sends it, other people's attempts do not count against it.
    """
    attempt = sign_in_attempt(request, data.email, data.password)
    checked = await check_sign_in(database, passwords, limiter, attempt)
    settings = resources_of(request).settings
    async with database.transaction() as tx:
        session = await open_session(tx, checked, settings.http.session_lifetime)
    return Response(
        session,
        headers={"Location": "/api/v1/sessions/current"},
        cookies=[device_cookie(settings, attempt.email, attempt.device)],
    )


@delete("/current", operation_id="signOut")
async def sign_out(request: Request[Me, str, Any], database: NamedDependency[Database]) -> None:
    """Sign out: end the session that this request's token belongs to."""
    async with database.transaction() as tx:
        await close_session(tx, request.auth)


router = Router("/sessions", route_handlers=[sign_in, sign_out], tags=["sessions"])
