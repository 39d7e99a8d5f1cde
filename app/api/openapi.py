"""The OpenAPI document at `/schema/openapi.json`, and a list of the routes at `/schema`.

The viewers that Litestar offers load megabytes of script from public servers, so the list is a
plain page without scripts. Any viewer can load the document.
"""

from __future__ import annotations

import re
from html import escape
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.routes import HTTPRoute
from msgspec import inspect

from app.api.errors import PROBLEM_JSON
from app.api.idempotency import KEY_HEADER
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


_STRING = Schema(type=OpenAPIType.STRING)

PROBLEM_SCHEMA = Schema(
    title="Problem",
    description="An error (RFC 9457).",
    type=OpenAPIType.OBJECT,
    required=["type", "title", "status", "detail"],
    properties={
        "type": _STRING,
        "title": _STRING,
        "status": Schema(type=OpenAPIType.INTEGER),
        "detail": Schema(type=OpenAPIType.STRING, description="What went wrong, in a sentence."),
        "errors": Schema(
            type=OpenAPIType.ARRAY,
            description="The invalid parts of the request, if any.",
            items=Schema(
                type=OpenAPIType.OBJECT,
                required=["field", "detail"],
                properties={"field": _STRING, "detail": _STRING},
            ),
        ),
    },
)

ERROR_RESPONSE = OpenAPIResponse(
    description=(
        "400 invalid input or an unknown query parameter, "
        "401 no valid token, 403 not allowed, 404 not found or not yours, "
        "409 conflict with the current state, 410 used or expired, 413 too large, "
        "415 wrong media type, 422 idempotency key used for a different request, "
        "429 too many requests, 503 temporarily unavailable "
        "(for both, Retry-After says when to try again)."
    ),
    content={PROBLEM_JSON: OpenAPIMediaType(schema=Reference("#/components/schemas/Problem"))},
)

IDEMPOTENCY_KEY = Parameter(
    name=KEY_HEADER,
    param_in="header",
    description=(
        "A repeated request with the same key within 24 hours gets the first response and creates "
        "nothing. 409 while the first request is in progress, 422 if the request differs."
    ),
    schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=255),
)


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
            "POST /api/v1/sessions returns the token that most routes require."
        ),
        tags=[
            Tag("users", "Accounts."),
            Tag("sessions", "Signing in and out."),
            Tag("activities", "Activities and their photos."),
            Tag("friends", "Friends and friend requests."),
            Tag("stats", "Totals by day and by week."),
            Tag("exports", f"Your activities as {joined_labels()}."),
            Tag("reports", "Monthly reports as PDF."),
            Tag("admin", "For operators: queues, jobs, dead letters, schedules, workers."),
            Tag("operations", "Health checks and metrics."),
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


def complete_openapi(app: Litestar) -> None:
    """Correct and complete what Litestar generates, such as the error responses and summaries."""
    document = app.openapi_schema
    document.components.schemas["Problem"] = PROBLEM_SCHEMA
    for route in app.routes:
        item = (document.paths or {}).get(route.path_format)
        if item is None or not isinstance(route, HTTPRoute):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            operation: Operation | None = getattr(item, method.lower(), None)
            if operation is None or operation.responses is None:
                continue
            operation.summary = _summary(operation.description or "")
            operation.responses.pop("400", None)
            for status, response in operation.responses.items():
                if isinstance(response, OpenAPIResponse):
                    response.description = HTTPStatus(int(status)).phrase
            operation.responses["default"] = ERROR_RESPONSE
            if handler.opt.get("public"):
                operation.security = []
            if body := handler.parsed_data_field:
                _forbid_unknown_fields(
                    document.components.schemas, inspect.type_info(body.annotation)
                )
            if "create_once" in handler.parsed_fn_signature.parameters:
                operation.parameters = [*(operation.parameters or []), IDEMPOTENCY_KEY]


def _summary(description: str) -> str:
    """Return the first sentence, up to any colon. Litestar's default is the function's name."""
    return re.split(r"[.:](?:\s|$)", description, maxsplit=1)[0]


def _forbid_unknown_fields(schemas: dict[str, Schema], body_type: inspect.Type) -> None:
    """Set `additionalProperties` to false for the structs in a body that forbid unknown fields."""
    match body_type:
        case inspect.StructType():
            if body_type.forbid_unknown_fields:
                schemas[body_type.cls.__name__].additional_properties = False
            for field in body_type.fields:
                _forbid_unknown_fields(schemas, field.type)
        case inspect.UnionType():
            for member in body_type.types:
                _forbid_unknown_fields(schemas, member)
