"""Where the link that confirms an address leads. Opening it changes nothing: mail scanners do."""

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
async def ask(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """A page with one button, whatever the token is worth."""
    return render_page(request, "confirm", token=token)


@post("/confirm/{token:str}", opt={"anonymous": True})
async def confirm_address(token: FromPath[str], database: NamedDependency[Database]) -> Redirect:
    """Spend the token."""
    async with database.transaction() as tx:
        await accounts.confirm_address(tx, token)
    return Redirect("/confirmed", status_code=303)


@get("/confirmed", opt={"anonymous": True})
async def confirmed(request: Request[Any, Any, Any]) -> Response[str]:
    return render_page(request, "confirmed")


routes = [ask, confirm_address, confirmed]
