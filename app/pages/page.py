"""A page: a template of templates/pages, filled in."""

from __future__ import annotations

from typing import Any, cast

from litestar import MediaType, Request, Response
from litestar.connection import ASGIConnection

from app.email import Post
from app.jinja import Templates
from app.pages.style import STYLE_PATH
from app.resources import Resources
from app.settings import Settings
from app.transaction import Database
from app.users.passwords import Passwords


def templates_of(request: Request[Any, Any, Any]) -> Templates:
    return cast("Resources", request.app.state.resources).templates


def database_of(request: Request[Any, Any, Any]) -> Database:
    return cast("Resources", request.app.state.resources).database


def settings_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Settings:
    return cast("Resources", connection.app.state.resources).settings


def post_of(request: Request[Any, Any, Any]) -> Post:
    return cast("Resources", request.app.state.resources).post


def passwords_of(request: Request[Any, Any, Any]) -> Passwords:
    return cast("Passwords", request.app.state.passwords)


def page(templates: Templates, name: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Render `templates/pages/<name>.html`."""
    html = templates.render(f"pages/{name}.html", {"style_path": STYLE_PATH, **context})
    return Response(html, status_code=status, media_type=MediaType.HTML)
