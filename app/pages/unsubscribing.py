"""Where the unsubscribe link of a letter leads (RFC 8058). Opening it changes nothing."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.email.subscriptions import Subscription
from app.jinja import Templates
from app.pages.page import page, settings_of
from app.transaction import Database
from app.users.preferences import subscription_of, unsubscribe

WORDS: dict[Subscription, str] = {
    "weekly_summary": "weekly summaries",
    "friend_activity": "letters on what your friends do",
    "monthly_report": "letters with your monthly report",
}


@get("/unsubscribe/{token:str}", opt={"public": True})
async def ask(
    token: FromPath[str], request: Request[Any, Any, Any], templates: NamedDependency[Templates]
) -> Response[str]:
    """A page with one button."""
    letters = WORDS[subscription_of(settings_of(request).secret_key, token)]
    return page(templates, "unsubscribe", token=token, letters=letters)


@post("/unsubscribe/{token:str}", opt={"public": True}, status_code=200)
async def end(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    templates: NamedDependency[Templates],
    database: NamedDependency[Database],
) -> Response[str]:
    """What the button does, and what mail programs do by themselves. The token is all it takes."""
    async with database.transaction() as tx:
        subscription = await unsubscribe(tx, settings_of(request).secret_key, token)
    return page(templates, "unsubscribed", letters=WORDS[subscription])
