"""Signing up, signing in and signing out."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Redirect
from msgspec import Meta, Struct

from app.errors import Failure
from app.pages.forms import FORM_FAILURES, Form, submitted_form
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
from app.users.login_limits import count_sign_up
from app.users.passwords import Passwords
from app.users.sessions import check_sign_in, close_session, open_session
from app.users.statements import Credentials
from app.users.user import EmailAddress, Name, Password
from app.web.connection import client_address, device_cookie, resources_of, sign_in_attempt

HOME = "/activities"

NextPath = Annotated[str | None, QueryParameter(name="next", max_length=2000)]


class SignUpForm(Struct, frozen=True):
    name: Name
    email: EmailAddress
    password: Password


class SignInForm(Struct, frozen=True):
    """Credentials. Only their length is limited: malformed credentials are simply wrong."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=200)]


@get("/sign-up", opt={"anonymous": True})
async def sign_up_form(request: Request[Any, Any, Any], next_: NextPath = None) -> Response[Any]:
    if request.user is not None:
        return see_other(request, local_path(next_, HOME))
    return render_page(request, "sign_up", next=local_path(next_, HOME))


@post("/sign-up", opt={"anonymous": True})
async def sign_up(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> Response[Any]:
    """Create an account and sign in to it. We then email a link to confirm the address."""
    form = await submitted_form(request)
    next_path = local_path(form.values.get("next"), HOME)
    try:
        submitted = form.read(SignUpForm)
        client = client_address(request)
        await count_sign_up(limiter, client)
        password_hash = await passwords.hash_new(
            submitted.password, about=[submitted.name, submitted.email], client=client
        )
        async with database.transaction() as tx:
            account = await register(tx, submitted.email, submitted.name, password_hash)
    except FORM_FAILURES as error:
        return _render_with_error(request, "sign_up", form, error, next_path)
    credentials = Credentials(account.id, password_hash)
    response = await _start_session(request, database, credentials, next_path)
    response.set_cookie(device_cookie(resources_of(request).settings, account.email))
    return response


@get("/sign-in", opt={"anonymous": True})
async def sign_in_form(request: Request[Any, Any, Any], next_: NextPath = None) -> Response[Any]:
    if request.user is not None:
        return see_other(request, local_path(next_, HOME))
    return render_page(request, "sign_in", next=local_path(next_, HOME))


@post("/sign-in", opt={"anonymous": True})
async def sign_in(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> Response[Any]:
    form = await submitted_form(request)
    next_path = local_path(form.values.get("next"), HOME)
    try:
        submitted = form.read(SignInForm)
        attempt = sign_in_attempt(request, submitted.email, submitted.password)
        credentials = await check_sign_in(database, passwords, limiter, attempt)
        response = await _start_session(request, database, credentials, next_path)
    except FORM_FAILURES as error:
        return _render_with_error(request, "sign_in", form, error, next_path)
    settings = resources_of(request).settings
    response.set_cookie(device_cookie(settings, attempt.email, attempt.device))
    return response


@post("/sign-out")
async def sign_out(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Redirect:
    settings = resources_of(request).settings
    async with database.transaction() as tx:
        await close_session(tx, request.cookies[session_cookie_name(settings)])
    response = see_other(request, "/sign-in", "You have signed out.")
    response.set_cookie(cleared_session_cookie(settings))
    return response


async def _start_session(
    request: Request[Any, Any, Any], database: Database, credentials: Credentials, next_path: str
) -> Response[Any]:
    """Open a session, end the browser's previous one, and redirect to `next_path`.

    Raises:
        Unauthenticated: the account has been deleted, or its password changed, since the check.
    """
    settings = resources_of(request).settings
    async with database.transaction() as tx:
        if previous := request.cookies.get(session_cookie_name(settings)):
            await close_session(tx, previous)
        session = await open_session(tx, credentials, settings.http.session_lifetime)
    response: Response[Any]
    if redirects_off_site(next_path):
        response = render_page(request, "download_starting", next_path=next_path)
    else:
        response = see_other(request, next_path)
    response.set_cookie(new_session_cookie(settings, session))
    return response


def redirects_off_site(path: str) -> bool:
    """Return whether a page redirects to another site, which `form-action` forbids after a POST."""
    return path.endswith("/download")


def _render_with_error(
    request: Request[Any, Any, Any], name: str, form: Form, error: Failure, next_path: str
) -> Response[str]:
    return render_page(request, name, error=error, form=form.with_error(error), next=next_path)


routes = [sign_up_form, sign_up, sign_in_form, sign_in, sign_out]
