"""The OpenAPI document at `/schema/openapi.json`, and a list of the routes at `/schema`.

The viewers that Litestar offers load megabytes of script from public servers, so the list is a
plain page without scripts. Any viewer can load the document.
"""

from __future__ import annotations

from html import escape
from typing import Any

from litestar import Request, Response, Router
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Tag

from app.exports.formats import joined_labels

METHODS = ("get", "post", "put", "patch", "delete")

PAGE_HTML = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 56rem;
  margin: 2rem auto; padding: 0 1rem }}
dt {{ font-family: ui-monospace, monospace; margin-top: 1rem }}
dd {{ margin: 0 0 0 2rem; white-space: pre-line }}
</style></head>
<body><h1>{title} {version}</h1>
<p>{description}</p>
<p>The full specification is in <a href="/schema/openapi.json">openapi.json</a>.</p>
{sections}
</body></html>
"""


class RouteListPage(OpenAPIRenderPlugin):
    """A page without scripts that lists the routes by tag."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        entries: dict[str, list[str]] = {tag["name"]: [] for tag in openapi_schema["tags"]}
        for path, item in openapi_schema["paths"].items():
            for method in METHODS:
                if operation := item.get(method):
                    entries[operation["tags"][0]].append(_entry(method, path, operation))
        sections = "".join(
            f"<h2>{escape(tag)}</h2><dl>{''.join(lines)}</dl>" for tag, lines in entries.items()
        )
        info = {name: escape(str(value)) for name, value in openapi_schema["info"].items()}
        return PAGE_HTML.format(sections=sections, **info).encode()


def _entry(method: str, path: str, operation: dict[str, Any]) -> str:
    description = escape(operation.get("description", ""))
    return f"<dt>{method.upper()} {escape(path)}</dt><dd>{description}</dd>"


def _replace_not_found_page(response: Response[Any]) -> Response[Any]:
    """Replace Litestar's own 404 page under `/schema` with our 404 response.

    Raises:
        NotFoundException: the response is Litestar's 404 page.
    """
    if response.status_code == NotFoundException.status_code:
        raise NotFoundException
    return response


def openapi_config() -> OpenAPIConfig:
    """Create the configuration for one application: Litestar adds routes to its router."""
    return OpenAPIConfig(
        title="ActiveLog",
        version="1",
        description=(
            "Activities, friends, statistics, exports and reports. "
            "POST /api/v1/sessions returns the token that most routes require. HEAD works wherever "
            "GET does. Errors are problem+json (RFC 9457)."
        ),
        license=License("MIT", identifier="MIT"),
        contact=Contact("The operator of this service"),
        tags=[
            Tag("users", "Accounts."),
            Tag("sessions", "Signing in and out."),
            Tag("activities", "Activities and their photos."),
            Tag("friends", "Friends and friend requests."),
            Tag("stats", "Totals by day and by week."),
            Tag("exports", f"Your activities as {joined_labels()}."),
            Tag("reports", "Monthly reports as PDF."),
            Tag("admin", "For operators: queues, jobs, dead letters, schedules, workers."),
            Tag("operations", "Health checks."),
        ],
        components=Components(
            security_schemes={"bearer": SecurityScheme("http", scheme="bearer")},
        ),
        security=[{"bearer": []}],
        use_handler_docstrings=True,
        openapi_router=Router(
            "/schema",
            route_handlers=[],
            include_in_schema=False,
            opt={"public": True},
            after_request=_replace_not_found_page,
            response_headers={
                "Content-Security-Policy": (
                    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; "
                    "base-uri 'none'; frame-ancestors 'none'"
                )
            },
        ),
        render_plugins=[RouteListPage(), JsonRenderPlugin()],
    )
