"""What a person sets about their account."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect
from msgspec import Meta, Struct

from app.errors import Failure
from app.pages.forms import REFUSALS, Form, sent_form
from app.pages.page import render_page, see_other
from app.pages.session import cleared_session_cookie, new_session_cookie
from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users.accounts import change_profile, delete_account, profile_of, request_confirmation
from app.users.login_limits import count_password_check
from app.users.passwords import Passwords, change_password, check_current_password
from app.users.sessions import open_session
from app.users.statements import Credentials
from app.users.user import Me, Name, Password
from app.web.connection import resources_of

OwnPassword = Annotated[str, Meta(max_length=200)]
"""Only as strict as it must be: what is no password is a wrong one."""


class NewName(Struct, frozen=True):
    name: Name


class Letters(Struct, frozen=True):
    """A box that is not ticked is not sent."""

    weekly_summary: bool = False
    friend_activity: bool = False
    monthly_report: bool = False


class NewPassword(Struct, frozen=True):
    current_password: OwnPassword
    password: Password


class Leaving(Struct, frozen=True):
    own_password: OwnPassword


@get("/settings")
async def settings(
    request: Request[Me, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Response[str]:
    return await _shown(request, me, database)


@post("/settings/name")
async def change_name(
    request: Request[Me, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Response[Any]:
    form = await sent_form(request)
    try:
        name = form.read(NewName).name
        async with database.transaction() as tx:
            await change_profile(tx, me.id, name=name)
    except REFUSALS as error:
        return await _shown(request, me, database, form, error)
    return see_other(request, "/settings", "Name saved.")


@post("/settings/emails")
async def change_emails(
    request: Request[Me, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Redirect:
    wanted = (await sent_form(request)).read(Letters)
    async with database.transaction() as tx:
        await change_profile(
            tx,
            me.id,
            weekly_summary=wanted.weekly_summary,
            friend_activity=wanted.friend_activity,
            monthly_report=wanted.monthly_report,
        )
    return see_other(request, "/settings", "Preferences saved.")


@post("/settings/confirmation")
async def send_confirmation(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    rates: NamedDependency[RateLimiter],
) -> Response[Any]:
    """The email that confirms the address, once more."""
    form = await sent_form(request)
    try:
        async with database.transaction() as tx:
            profile = await request_confirmation(tx, rates, me.id)
    except REFUSALS as error:
        return await _shown(request, me, database, form, error)
    return see_other(request, "/settings", f"We are sending another email to {profile.email}.")


@post("/settings/password")
async def change_own_password(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    rates: NamedDependency[RateLimiter],
) -> Response[Any]:
    """A new password, and a new session in the place of all others."""
    form = await sent_form(request)
    site = resources_of(request).settings
    try:
        wanted = form.read(NewPassword)
        await count_password_check(rates, me.id)
        checked = await check_current_password(database, passwords, me.id, wanted.current_password)
        password_hash = await passwords.hash(wanted.password)
        async with database.transaction() as tx:
            await change_password(tx, checked, password_hash)
            renewed = Credentials(me.id, password_hash)
            session = await open_session(tx, renewed, site.http.session)
    except REFUSALS as error:
        return await _shown(request, me, database, form, error)
    words = "Password changed. You have been signed out on all other devices."
    back = see_other(request, "/settings", words)
    back.set_cookie(new_session_cookie(site, session))
    return back


@post("/settings/leave")
async def leave_for_good(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    rates: NamedDependency[RateLimiter],
) -> Response[Any]:
    form = await sent_form(request)
    try:
        password = form.read(Leaving).own_password
        await count_password_check(rates, me.id)
        checked = await check_current_password(database, passwords, me.id, password)
        async with database.transaction() as tx:
            await delete_account(tx, checked)
    except REFUSALS as error:
        return await _shown(request, me, database, form, error)
    away = see_other(request, "/", "Account deleted. Your data is being erased.")
    away.set_cookie(cleared_session_cookie(resources_of(request).settings))
    return away


async def _shown(
    request: Request[Me, Any, Any],
    me: Me,
    database: Database,
    form: Form | None = None,
    error: Failure | None = None,
) -> Response[str]:
    """The page, with the form that was refused."""
    profile = await profile_of(database, me.id)
    if form is None or error is None:
        return render_page(request, "settings", profile=profile)
    return render_page(request, "settings", error=error, profile=profile, form=form.refused(error))


routes = [
    settings,
    change_name,
    change_emails,
    send_confirmation,
    change_own_password,
    leave_for_good,
]
