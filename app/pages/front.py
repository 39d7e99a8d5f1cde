"""The front page."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from app.pages.page import render_page, see_other


@get("/", opt={"anonymous": True})
async def front(request: Request[Any, Any, Any]) -> Response[Any]:
    """What this is, for those who do not know; the others go on to what is theirs."""
    if request.user is not None:
        return see_other(request, "/activities")
    return render_page(request, "front")
