"""Settings: profile, email preferences, password, and deleting the account."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect
from msgspec import Meta, Struct

from app.email.subscriptions import SUBSCRIPTIONS
from app.errors import Failure
from app.pages.forms import FORM_FAILURES, Form, submitted_form
from app.pages.page import render_page, see_other
from app.pages.session import cleared_session_cookie, new_session_cookie
from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users.accounts import change_profile, delete_account, profile_of
from app.users.confirmation import request_confirmation
from app.users.login_limits import count_password_check
from app.users.passwords import Passwords, change_password, check_current_password
from app.users.sessions import open_session
from app.users.statements import Credentials
from app.users.user import Me, Name, Password
from app.web.connection import resources_of

CurrentPassword = Annotated[str, Meta(max_length=200)]
"""Only its length is limited: a malformed password is simply wrong."""


class NameForm(Struct, frozen=True):
    name: Name


class ChangePasswordForm(Struct, frozen=True):
    current_password: CurrentPassword
    password: Password


class DeleteAccountForm(Struct, frozen=True):
    own_password: CurrentPassword


@get("/settings")
async def show_settings(
    request: Request[Me, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Response[str]:
    return await _render_settings(request, me, database)


@post("/settings/name")
async def change_name(
    request: Request[Me, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Response[Any]:
    form = await submitted_form(request)
    try:
        name = form.read(NameForm).name
        async with database.transaction() as tx:
            await change_profile(tx, me.id, name=name)
    except FORM_FAILURES as error:
        return await _render_settings(request, me, database, form, error)
    return see_other(request, "/settings", "Name saved.")


@post("/settings/emails")
async def change_email_preferences(
    request: Request[Me, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Redirect:
    ticked = (await submitted_form(request)).values
    preferences = {name: name in ticked for name in SUBSCRIPTIONS}
    async with database.transaction() as tx:
        await change_profile(tx, me.id, preferences=preferences)
    return see_other(request, "/settings", "Preferences saved.")


@post("/settings/confirmation")
async def send_confirmation(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    limiter: NamedDependency[RateLimiter],
) -> Response[Any]:
    """Send another email with a link to confirm the address."""
    form = await submitted_form(request)
    try:
        async with database.transaction() as tx:
            profile = await request_confirmation(tx, limiter, me.id)
    except FORM_FAILURES as error:
        return await _render_settings(request, me, database, form, error)
    return see_other(request, "/settings", f"We are sending another email to {profile.email}.")


@post("/settings/password")
async def change_own_password(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> Response[Any]:
    """Change the password, end all sessions, and open a new one in this browser."""
    form = await submitted_form(request)
    settings = resources_of(request).settings
    try:
        submitted = form.read(ChangePasswordForm)
        await count_password_check(limiter, me.id)
        credentials = await check_current_password(
            database, passwords, me.id, submitted.current_password
        )
        profile = await profile_of(database, me.id)
        password_hash = await passwords.hash_new(
            submitted.password, about=[profile.name, profile.email], known_device=True
        )
        async with database.transaction() as tx:
            await change_password(tx, credentials, password_hash)
            renewed = Credentials(me.id, password_hash)
            session = await open_session(tx, renewed, settings.http.session_lifetime)
    except FORM_FAILURES as error:
        return await _render_settings(request, me, database, form, error)
    message = "Password changed. You have been signed out on all other devices."
    response = see_other(request, "/settings", message)
    response.set_cookie(new_session_cookie(settings, session))
    return response


@post("/settings/leave")
async def delete_own_account(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> Response[Any]:
    form = await submitted_form(request)
    try:
        password = form.read(DeleteAccountForm).own_password
        await count_password_check(limiter, me.id)
        credentials = await check_current_password(database, passwords, me.id, password)
        async with database.transaction() as tx:
            await delete_account(tx, credentials)
    except FORM_FAILURES as error:
        return await _render_settings(request, me, database, form, error)
    response = see_other(request, "/", "Account deleted. Your data is being erased.")
    response.set_cookie(cleared_session_cookie(resources_of(request).settings))
    return response


async def _render_settings(
    request: Request[Me, Any, Any],
    me: Me,
    database: Database,
    form: Form | None = None,
    error: Failure | None = None,
) -> Response[str]:
    """Render the settings, with the rejected form if there is one."""
    profile = await profile_of(database, me.id)
    if form is None or error is None:
        return render_page(request, "settings", profile=profile)
    return render_page(
        request, "settings", error=error, profile=profile, form=form.with_error(error)
    )


routes = [
    show_settings,
    change_name,
    change_email_preferences,
    send_confirmation,
    change_own_password,
    delete_own_account,
]
