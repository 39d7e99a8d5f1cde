"""The front page."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency

from app.jinja import Templates
from app.pages.page import page


@get("/", opt={"public": True})
async def front(templates: NamedDependency[Templates]) -> Response[str]:
    return page(templates, "front")
