"""Confirming an email address with the emailed link.

Opening the link changes nothing, because mail scanners open links too.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from app.pages.page import render_page
from app.postgres.database import Database
from app.users import accounts


@get("/confirm/{token:str}", opt={"anonymous": True})
async def show_confirmation(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """Show a page with one button, whether or not the token is valid."""
    return render_page(request, "confirm", token=token)


@post("/confirm/{token:str}", opt={"anonymous": True})
async def confirm_address(token: FromPath[str], database: NamedDependency[Database]) -> Redirect:
    """Confirm the address. The token cannot be used again."""
    async with database.transaction() as tx:
        await accounts.confirm_address(tx, token)
    return Redirect("/confirmed", status_code=303)


@get("/confirmed", opt={"anonymous": True})
async def show_confirmed(request: Request[Any, Any, Any]) -> Response[str]:
    return render_page(request, "confirmed")


routes = [show_confirmation, confirm_address, show_confirmed]
