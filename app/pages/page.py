"""A page: a template of templates/pages, filled in."""

from __future__ import annotations

from typing import Any, cast

from litestar import MediaType, Request, Response

from app.jinja import Templates
from app.pages.style import STYLE_PATH
from app.resources import Resources
from app.transaction import Database


def templates_of(request: Request[Any, Any, Any]) -> Templates:
    return cast("Resources", request.app.state.resources).templates


def database_of(request: Request[Any, Any, Any]) -> Database:
    return cast("Resources", request.app.state.resources).database


def page(templates: Templates, name: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Render `templates/pages/<name>.html`."""
    html = templates.render(f"pages/{name}.html", {"style_path": STYLE_PATH, **context})
    return Response(html, status_code=status, media_type=MediaType.HTML)
