"""Confirming an address with the emailed link, or reporting that somebody else signed up with it.

Opening the link changes nothing, because mail scanners open links too.
"""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Meta, Struct

from app.errors import Failure
from app.pages.forms import FORM_FAILURES, Form, submitted_form
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users import confirmation
from app.users.passwords import Passwords


class ConfirmationForm(Struct, frozen=True):
    """A password, unless the account is signed in. Only its length is limited."""

    password: Annotated[str, Meta(max_length=200)] = ""


@get("/confirm/{token:str}", opt={"anonymous": True})
async def show_confirmation(
    token: FromPath[str], request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    """Show the form if the token is still valid."""
    return await _render_form(request, database, token)


@post("/confirm/{token:str}", opt={"anonymous": True})
async def confirm_address(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> Response[Any]:
    """Confirm the address. The token cannot be used again."""
    form = await submitted_form(request)
    try:
        password = form.read(ConfirmationForm).password
        user_id = request.user.id if request.user else None
        await confirmation.check_confirmer(
            database, passwords, limiter, token, user_id=user_id, password=password
        )
    except FORM_FAILURES as error:
        return await _render_form(request, database, token, form, error)
    async with database.transaction() as tx:
        await confirmation.confirm_address(tx, token)
    return Redirect("/confirmed", status_code=303)


@post("/confirm/{token:str}/disown", opt={"anonymous": True})
async def disown_account(
    token: FromPath[str], request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Redirect:
    """Erase an account that somebody else made for the reader's address."""
    async with database.transaction() as tx:
        await confirmation.disown(tx, token)
    return see_other(request, "/", "Account deleted. Its data is being erased.")


@get("/confirmed", opt={"anonymous": True})
async def show_confirmed(request: Request[Any, Any, Any]) -> Response[str]:
    return render_page(request, "confirmed")


async def _render_form(
    request: Request[Any, Any, Any],
    database: Database,
    token: str,
    form: Form | None = None,
    error: Failure | None = None,
) -> Response[str]:
    """Render the form, or the failure if the token is no longer valid.

    Raises:
        Gone: the token is unknown, used or expired, or its account was deleted.
    """
    owner = await confirmation.token_owner(database, token)
    own_session = request.user is not None and request.user.id == owner.id
    context: dict[str, Any] = {"token": token, "owner": owner, "own_session": own_session}
    if form is None or error is None:
        return render_page(request, "confirm", **context)
    return render_page(request, "confirm", error=error, form=form.with_error(error), **context)


routes = [show_confirmation, confirm_address, disown_account, show_confirmed]
