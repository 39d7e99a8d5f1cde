"""Where the link of the welcome letter leads. Opening it changes nothing: mail scanners do."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from app.jinja import Templates
from app.pages.page import page
from app.transaction import Database
from app.users.confirmation import confirm


@get("/confirm/{token:str}", opt={"public": True})
async def ask(token: FromPath[str], templates: NamedDependency[Templates]) -> Response[str]:
    """A page with one button, whatever the token is worth."""
    return page(templates, "confirm", token=token)


@post("/confirm/{token:str}", opt={"public": True})
async def confirm_address(token: FromPath[str], database: NamedDependency[Database]) -> Redirect:
    """Spend the token. It is the proof that no other site made this request up."""
    async with database.transaction() as tx:
        await confirm(tx, token)
    return Redirect("/confirmed", status_code=303)


@get("/confirmed", opt={"public": True})
async def confirmed(templates: NamedDependency[Templates]) -> Response[str]:
    return page(templates, "confirmed")
