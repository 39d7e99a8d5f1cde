"""The routes under `/password-resets`, for forgotten passwords."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import MediaType, Request, Router, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath
from msgspec import Struct

from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users.login_limits import clear_sign_ins, count_reset_request
from app.users.passwords import Passwords, check_reset_token, request_password_reset, reset_password
from app.users.user import EmailAddress, Password
from app.web.connection import client_address


class ResetRequest(Struct, frozen=True, forbid_unknown_fields=True):
    email: EmailAddress


class NewPassword(Struct, frozen=True, forbid_unknown_fields=True):
    password: Password
    start_afresh: bool = False
    """Erase what the account holds. Only possible while its address is not confirmed: somebody else
    may have made the account."""


RESET_REQUEST = Example(value={"email": "kim@example.com"})
NEW_PASSWORD = Example(value={"password": "a longer walk on the beach"})


@post(
    "/",
    opt={"public": True},
    status_code=202,
    media_type=MediaType.TEXT,
    operation_id="requestPasswordReset",
)
async def request_reset(
    data: Annotated[ResetRequest, Body(examples=[RESET_REQUEST])],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    limiter: NamedDependency[RateLimiter],
) -> None:
    """Request a password-reset email.

    The response is the same whether or not the address has an account. 429 after too many requests
    from your network address.
    """
    await count_reset_request(limiter, client_address(request))
    async with database.transaction() as tx:
        await request_password_reset(tx, data.email)


@post("/{token:str}", opt={"public": True}, status_code=204, operation_id="resetPassword")
async def reset(
    token: FromPath[str],
    data: Annotated[NewPassword, Body(examples=[NEW_PASSWORD])],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> None:
    """Choose a new password with the token from the email. This ends all sessions.

    It also confirms the address, and earlier attempts to sign in no longer count. 409 if the
    address is already confirmed and the account should start afresh. 410 if the token has been
    used, has expired or is unknown.
    """
    owner = await check_reset_token(database, token)
    password_hash = await passwords.hash_new(
        data.password, about=[owner.name, owner.email], known_device=True
    )
    async with database.transaction() as tx:
        await reset_password(tx, token, password_hash, start_afresh=data.start_afresh)
    await clear_sign_ins(limiter, owner.email)


router = Router("/password-resets", route_handlers=[request_reset, reset], tags=["users"])
