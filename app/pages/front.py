"""The front page."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from app.pages.page import render_page, see_other


@get("/", opt={"anonymous": True})
async def show_front_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """Show what ActiveLog is, or redirect signed-in users to their activities."""
    if request.user is not None:
        return see_other(request, "/activities")
    return render_page(request, "front")
