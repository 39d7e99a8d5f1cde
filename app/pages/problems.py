"""The pages of the problem types: what happened, and what to do."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from app.errors import NotFound
from app.pages.page import render_page
from app.problems import PREFIX, PROBLEM_TYPES


@get(f"{PREFIX}{{name:str}}", opt={"anonymous": True})
async def show_problem(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """Show the page at the `type` URI of a problem response.

    Raises:
        NotFound: no problem type has this name.
    """
    if name not in PROBLEM_TYPES:
        raise NotFound("Page not found.")
    return render_page(request, "problem", problem=PROBLEM_TYPES[name])


routes = [show_problem]
