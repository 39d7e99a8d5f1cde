"""Unsubscribing with the link in an email (RFC 8058). Opening the link changes nothing."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.email.subscriptions import SUBSCRIPTIONS
from app.pages.page import render_page
from app.postgres.database import Database
from app.users.accounts import subscription_in_token, unsubscribe
from app.web.connection import resources_of


@get("/unsubscribe/{token:str}", opt={"anonymous": True})
async def show_unsubscribe(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """Show a page with one button."""
    emails = SUBSCRIPTIONS[subscription_in_token(_secret(request), token)].emails
    return render_page(request, "unsubscribe", token=token, emails=emails)


@post("/unsubscribe/{token:str}", opt={"anonymous": True, "csrf_exempt": True}, status_code=200)
async def unsubscribe_by_link(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
) -> Response[str]:
    """Unsubscribe, from the button on the page or from a mail client. No form token is required."""
    async with database.transaction() as tx:
        subscription = await unsubscribe(tx, _secret(request), token)
    return render_page(request, "unsubscribed", emails=SUBSCRIPTIONS[subscription].emails)


def _secret(request: Request[Any, Any, Any]) -> str:
    return resources_of(request).settings.secret_key


routes = [show_unsubscribe, unsubscribe_by_link]
