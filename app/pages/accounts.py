"""Signing up, in and out."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Redirect
from msgspec import Meta, Struct

from app.errors import Failure
from app.pages.forms import REFUSALS, Form, sent_form
from app.pages.page import render_page, see_other
from app.pages.session import (
    cleared_session_cookie,
    local_path,
    new_session_cookie,
    session_cookie_name,
)
from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users.accounts import register
from app.users.login_limits import clear_sign_ins, count_sign_in, count_sign_up
from app.users.passwords import Passwords
from app.users.sessions import check_password, close_session, open_session, renew_hash
from app.users.statements import Credentials
from app.users.user import EmailAddress, Name, Password
from app.web.connection import client_address, resources_of

HOME = "/activities"

Next = Annotated[str | None, QueryParameter(name="next", max_length=2000)]


class SignUp(Struct, frozen=True):
    name: Name
    email: EmailAddress
    password: Password


class SignIn(Struct, frozen=True):
    """Only as strict as it must be: what is no address or no password is a wrong one."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=200)]


@get("/sign-up", opt={"anonymous": True})
async def sign_up_form(request: Request[Any, Any, Any], wanted: Next = None) -> Response[Any]:
    if request.user is not None:
        return see_other(request, local_path(wanted, HOME))
    return render_page(request, "sign_up", next=local_path(wanted, HOME))


@post("/sign-up", opt={"anonymous": True})
async def sign_up(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    rates: NamedDependency[RateLimiter],
) -> Response[Any]:
    """Create an account and sign in to it. An email that confirms the address follows."""
    form = await sent_form(request)
    goal = local_path(form.values.get("next"), HOME)
    try:
        wanted = form.read(SignUp)
        await count_sign_up(rates, client_address(request))
        password_hash = await passwords.hash(wanted.password)
        async with database.transaction() as tx:
            account = await register(tx, wanted.email, wanted.name, password_hash)
    except REFUSALS as error:
        return _again(request, "sign_up", form, error, goal)
    return await _signed_in(request, database, Credentials(account.id, password_hash), goal)


@get("/sign-in", opt={"anonymous": True})
async def sign_in_form(request: Request[Any, Any, Any], wanted: Next = None) -> Response[Any]:
    if request.user is not None:
        return see_other(request, local_path(wanted, HOME))
    return render_page(request, "sign_in", next=local_path(wanted, HOME))


@post("/sign-in", opt={"anonymous": True})
async def sign_in(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    rates: NamedDependency[RateLimiter],
) -> Response[Any]:
    form = await sent_form(request)
    goal = local_path(form.values.get("next"), HOME)
    try:
        wanted = form.read(SignIn)
        await count_sign_in(rates, wanted.email, client_address(request))
        checked = await check_password(database, passwords, wanted.email, wanted.password)
        await clear_sign_ins(rates, wanted.email)
        checked = await renew_hash(database, passwords, checked, wanted.password)
        return await _signed_in(request, database, checked, goal)
    except REFUSALS as error:
        return _again(request, "sign_in", form, error, goal)


@post("/sign-out")
async def sign_out(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Redirect:
    settings = resources_of(request).settings
    async with database.transaction() as tx:
        await close_session(tx, request.cookies[session_cookie_name(settings)])
    away = see_other(request, "/sign-in", "You have signed out.")
    away.set_cookie(cleared_session_cookie(settings))
    return away


async def _signed_in(
    request: Request[Any, Any, Any], database: Database, checked: Credentials, goal: str
) -> Response[Any]:
    """On to where the person wanted to go, with a session; the browser's last one ends.

    Raises:
        Unauthenticated: the account was deleted or its password changed since the check.
    """
    settings = resources_of(request).settings
    async with database.transaction() as tx:
        if last := request.cookies.get(session_cookie_name(settings)):
            await close_session(tx, last)
        session = await open_session(tx, checked, settings.http.session)
    there = render_page(request, "onward", goal=goal) if leaves(goal) else see_other(request, goal)
    there.set_cookie(new_session_cookie(settings, session))
    return there


def leaves(goal: str) -> bool:
    """Whether a page of ours redirects to another host: a form may not lead there (form-action)."""
    return goal.endswith("/download")


def _again(
    request: Request[Any, Any, Any], name: str, form: Form, error: Failure, goal: str
) -> Response[str]:
    return render_page(request, name, error=error, form=form.refused(error), next=goal)


routes = [sign_up_form, sign_up, sign_in_form, sign_in, sign_out]
