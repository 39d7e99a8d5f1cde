"""Where the link of the password email leads."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from app.errors import TooMany
from app.pages.forms import WrongForm, sent_form
from app.pages.page import render_page
from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users.login_limits import count_reset_request
from app.users.passwords import Passwords, check_reset_token, request_password_reset, reset_password
from app.users.user import EmailAddress, Password
from app.web.connection import client_address


class Forgotten(Struct, frozen=True):
    email: EmailAddress


class NewPassword(Struct, frozen=True):
    password: Password


@get("/forgotten", opt={"anonymous": True})
async def forgotten_form(request: Request[Any, Any, Any]) -> Response[str]:
    return render_page(request, "forgotten")


@post("/forgotten", opt={"anonymous": True})
async def forgotten(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    rates: NamedDependency[RateLimiter],
) -> Response[str]:
    """Have a link sent. The answer is the same whether or not there is such an account."""
    form = await sent_form(request)
    try:
        wanted = form.read(Forgotten)
        await count_reset_request(rates, client_address(request))
    except (TooMany, WrongForm) as error:
        return render_page(request, "forgotten", error=error, form=form.refused(error))
    async with database.transaction() as tx:
        await ask_for_reset(tx, wanted.email)
    return render_page(request, "forgotten_sent", email=wanted.email)


@get("/reset/{token:str}", opt={"anonymous": True})
async def ask(
    token: FromPath[str], request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    """A form, if the token is still good."""
    await check_reset(database, token)
    return render_page(request, "reset", token=token)


@post("/reset/{token:str}", opt={"anonymous": True})
async def choose(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
) -> Response[Any]:
    """Spend the token."""
    await check_reset_token(database, token)
    form = await sent_form(request)
    try:
        wanted = form.read(NewPassword)
    except WrongForm as error:
        return render_page(request, "reset", status=400, token=token, form=form.refused(error))
    password_hash = await passwords.hash(wanted.password)
    async with database.transaction() as tx:
        await reset_password(tx, token, password_hash)
    return Redirect("/reset-done", status_code=303)


@get("/reset-done", opt={"anonymous": True})
async def done(request: Request[Any, Any, Any]) -> Response[str]:
    return render_page(request, "reset_done")


routes = [forgotten_form, forgotten, ask, choose, done]
