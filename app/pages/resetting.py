"""Where the link of the password letter leads."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from app.jinja import Templates
from app.pages.page import page
from app.transaction import Database
from app.users.passwords import Passwords
from app.users.resets import check_reset, reset_password
from app.users.user import Password


@get("/reset/{token:str}", opt={"public": True})
async def ask(
    token: FromPath[str],
    templates: NamedDependency[Templates],
    database: NamedDependency[Database],
) -> Response[str]:
    """A form, if the token is still good."""
    await check_reset(database, token)
    return page(templates, "reset", token=token, wrong=False)


@post("/reset/{token:str}", opt={"public": True})
async def choose(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    templates: NamedDependency[Templates],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
) -> Response[Any]:
    """Spend the token. It is the proof that no other site made this request up."""
    await check_reset(database, token)
    form = await request.form()
    try:
        password = msgspec.convert(form.get("password"), Password)
    except msgspec.ValidationError:
        return page(templates, "reset", status=400, token=token, wrong=True)
    password_hash = await passwords.hash(password)
    async with database.transaction() as tx:
        await reset_password(tx, token, password_hash)
    return Redirect("/reset-done", status_code=303)


@get("/reset-done", opt={"public": True})
async def done(templates: NamedDependency[Templates]) -> Response[str]:
    return page(templates, "reset_done")
