"""Password resets: requesting the email, and choosing a new password with its link."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from app.errors import Busy, Invalid, TooMany
from app.pages.forms import InvalidForm, submitted_form
from app.pages.page import render_page
from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users.login_limits import clear_sign_ins, count_reset_request
from app.users.passwords import Passwords, check_reset_token, request_password_reset, reset_password
from app.users.user import EmailAddress, Password
from app.web.connection import client_address, device_cookie, resources_of


class ForgotPasswordForm(Struct, frozen=True):
    email: EmailAddress


class NewPasswordForm(Struct, frozen=True):
    password: Password
    start_afresh: bool = False


@get("/forgotten", opt={"anonymous": True})
async def forgot_password_form(request: Request[Any, Any, Any]) -> Response[str]:
    return render_page(request, "forgot_password")


@post("/forgotten", opt={"anonymous": True})
async def request_reset(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    limiter: NamedDependency[RateLimiter],
) -> Response[str]:
    """Email a reset link. The response does not reveal whether the account exists."""
    form = await submitted_form(request)
    try:
        submitted = form.read(ForgotPasswordForm)
        await count_reset_request(limiter, client_address(request))
    except (TooMany, InvalidForm) as error:
        return render_page(request, "forgot_password", error=error, form=form.with_error(error))
    async with database.transaction() as tx:
        await request_password_reset(tx, submitted.email)
    return render_page(request, "reset_link_sent", email=submitted.email)


@get("/reset/{token:str}", opt={"anonymous": True})
async def new_password_form(
    token: FromPath[str], request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    """Show the form if the token is still valid. An unconfirmed account may start afresh."""
    owner = await check_reset_token(database, token)
    return render_page(request, "reset_password", token=token, owner=owner)


@post("/reset/{token:str}", opt={"anonymous": True})
async def set_new_password(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> Response[Any]:
    """Set the new password. The token cannot be used again. The browser becomes a known device."""
    owner = await check_reset_token(database, token)
    form = await submitted_form(request)
    try:
        submitted = form.read(NewPasswordForm)
        password_hash = await passwords.hash_new(
            submitted.password, about=[owner.name, owner.email], known_device=True
        )
    except (Invalid, Busy) as error:
        page_form = form.with_error(error)
        return render_page(
            request, "reset_password", error=error, token=token, owner=owner, form=page_form
        )
    async with database.transaction() as tx:
        await reset_password(tx, token, password_hash, start_afresh=submitted.start_afresh)
    await clear_sign_ins(limiter, owner.email)
    response = Redirect("/reset-done", status_code=303)
    response.set_cookie(device_cookie(resources_of(request).settings, owner.email))
    return response


@get("/reset-done", opt={"anonymous": True})
async def password_changed(request: Request[Any, Any, Any]) -> Response[str]:
    return render_page(request, "password_changed")


routes = [
    forgot_password_form,
    request_reset,
    new_password_form,
    set_new_password,
    password_changed,
]
