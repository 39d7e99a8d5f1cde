"""Corrections and additions to the OpenAPI document that Litestar generates.

The 4xx and 503 responses of an operation follow from its route, for example from its body and its
path parameters. Others are taken from its description: `409 if the address is taken.`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.routes import HTTPRoute
from msgspec import inspect

from app.api.errors import PROBLEM_JSON
from app.api.idempotency import KEY_HEADER
from app.problems import PROBLEM_TYPES
from app.web.failures import phrase_of

_STRING = Schema(type=OpenAPIType.STRING)

PROBLEM_SCHEMA = Schema(
    title="Problem",
    description="An error (RFC 9457).",
    type=OpenAPIType.OBJECT,
    required=["type", "title", "status", "detail"],
    properties={
        "type": Schema(
            type=OpenAPIType.STRING,
            format=OpenAPIFormat.URI_REFERENCE,
            description=(
                "A relative reference to a page that says what happened and what to do: "
                f"{', '.join(problem.uri for problem in PROBLEM_TYPES.values())}. "
                "Or `about:blank`, if the status says enough."
            ),
        ),
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
PROBLEM_CONTENT = {PROBLEM_JSON: OpenAPIMediaType(Reference("#/components/schemas/Problem"))}

FAILURES = {
    "400": "The request is invalid. `errors` names the invalid parts.",
    "401": "The token is missing, unknown or expired.",
    "403": "You are not an operator.",
    "404": "This does not exist, or belongs to somebody else.",
    "409": "The first request with this Idempotency-Key is still in progress.",
    "412": "If-Match or If-None-Match is false: the resource is not in that state.",
    "413": "The body is too large.",
    "415": "The body has the wrong media type, or a Content-Encoding.",
    "422": "The Idempotency-Key was used for a different request.",
    "429": "You have sent too many requests.",
    "503": "The service is temporarily unavailable.",
}
RETRY_AFTER = {
    "Retry-After": OpenAPIHeader(
        description="When to try again, in seconds.",
        schema=Schema(type=OpenAPIType.INTEGER, minimum=0),
    )
}
LOCATION = {
    "Location": OpenAPIHeader(
        description="The path of what was created, if it has one.",
        schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.URI_REFERENCE),
    )
}
ETAG = {"ETag": OpenAPIHeader(description="A strong ETag of this state.", schema=_STRING)}

IDEMPOTENCY_KEY = Parameter(
    name=KEY_HEADER,
    param_in="header",
    description=(
        "A repeated request with the same key within 24 hours gets the first response and creates "
        "nothing. 409 while the first request is in progress, 422 if the request differs."
    ),
    schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=255, pattern="^[ -~]+$"),
)
ETAGS_PATTERN = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
PRECONDITIONS = [
    Parameter(
        name=name,
        param_in="header",
        description=description,
        schema=Schema(type=OpenAPIType.STRING, pattern=ETAGS_PATTERN),
    )
    for name, description in {
        "If-Match": "ETags. 412 if the current ETag is not one of them; `*` matches any.",
        "If-None-Match": "ETags. If the current ETag is one of them: 304 to GET, otherwise 412.",
    }.items()
]


ADMIN_PATH = "/admin/"
FILE = OpenAPIResponse(
    description="The file, for clients that follow the redirect.",
    content={"*/*": OpenAPIMediaType()},
)


def complete_openapi(app: Litestar) -> None:
    document = app.openapi_schema
    schemas = document.components.schemas
    for schema in schemas.values():
        _unwrap_properties(schema)
    schemas["Problem"] = PROBLEM_SCHEMA
    for route in app.routes:
        item = (document.paths or {}).get(route.path_format)
        if item is None or not isinstance(route, HTTPRoute):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            operation: Operation | None = getattr(item, method.lower(), None)
            if operation is not None and operation.responses is not None:
                _complete_operation(operation, route, handler)
                if body := handler.parsed_data_field:
                    _complete_body(schemas, inspect.type_info(body.annotation))


def _complete_operation(operation: Operation, route: HTTPRoute, handler: HTTPRouteHandler) -> None:
    injected = handler.parsed_fn_signature.parameters
    operation.summary = _summary(operation.description or "")
    if handler.opt.get("public"):
        operation.security = []
    responses = operation.responses or {}
    responses.pop("400", None)
    for status, response in responses.items():
        if isinstance(response, OpenAPIResponse):
            response.description = phrase_of(int(status))
            _complete_success(response, status, tagged="preconditions" in injected)
    if "302" in responses:
        responses["200"] = FILE
    parameters = list(operation.parameters or [])
    if "create_once" in injected:
        parameters.append(IDEMPOTENCY_KEY)
    if "preconditions" in injected:
        parameters += PRECONDITIONS
        if "GET" in handler.http_methods:
            responses["304"] = OpenAPIResponse(phrase_of(304), headers={**ETAG})
    operation.parameters = parameters or None
    reasons = _described_failures(operation.description or "")
    for status in _statuses(route, handler):
        reasons.setdefault(status, []).append(FAILURES[status])
    for status, sentences in sorted(reasons.items()):
        responses[status] = OpenAPIResponse(
            description=" ".join(sentences),
            content={**PROBLEM_CONTENT},
            headers={**RETRY_AFTER} if status in {"429", "503"} else None,
        )


def _complete_success(response: OpenAPIResponse, status: str, *, tagged: bool) -> None:
    if status == "204":
        response.content = None
    if response.content is None:
        return
    if status in {"201", "202"}:
        response.headers = {**(response.headers or {}), **LOCATION}
    if tagged:
        response.headers = {**(response.headers or {}), **ETAG}


def _statuses(route: HTTPRoute, handler: HTTPRouteHandler) -> Iterator[str]:
    """Yield the failures that follow from the route."""
    injected = handler.parsed_fn_signature.parameters
    yield "400"
    if not handler.opt.get("public"):
        yield from ("401", "429")
    if ADMIN_PATH in route.path:
        yield "403"
    if route.path_parameters:
        yield "404"
    if "create_once" in injected:
        yield from ("409", "422")
    if "preconditions" in injected:
        yield "412"
    if handler.parsed_data_field is not None:
        yield "413"
    if "GET" not in handler.http_methods:
        yield "415"
    if "/api/" in route.path:
        yield "503"


def _described_failures(description: str) -> dict[str, list[str]]:
    """Return the sentences of a description that begin with a status, by status."""
    found: dict[str, list[str]] = {}
    text = " ".join(description.split())
    pattern = r"\b(4\d\d|503) ((?:if|unless|after|while) (?:[^.]|\.\w)+\.)"
    for status, sentence in re.findall(pattern, text):
        found.setdefault(status, []).append(sentence[0].upper() + sentence[1:])
    return found


def _summary(description: str) -> str:
    """Return the first sentence, up to any colon. Litestar's default is the function's name."""
    return re.split(r"[.:](?:\s|$)", description, maxsplit=1)[0]


def _unwrap_properties(schema: Schema) -> None:
    """Replace each property's `oneOf` with one branch by that branch."""
    for name, part in (schema.properties or {}).items():
        if isinstance(part, Schema) and part.one_of and len(part.one_of) == 1:
            (branch,) = part.one_of
            if isinstance(branch, Schema):
                kept = {each.name: getattr(part, each.name) for each in fields(part)}
                given = {key: value for key, value in kept.items() if value is not None}
                branch = replace(branch, **(given | {"one_of": branch.one_of}))
            (schema.properties or {})[name] = branch


def _complete_body(schemas: dict[str, Schema], body_type: inspect.Type) -> None:
    """Forbid unknown fields as the structs in a body do, and add the minima that Litestar omits.

    Litestar treats `ge=0` as no limit.
    """
    for struct in _structs(body_type):
        schema = schemas[struct.cls.__name__]
        if struct.forbid_unknown_fields:
            schema.additional_properties = False
        for field in struct.fields:
            for part in _members(field.type):
                if isinstance(part, inspect.IntType | inspect.FloatType) and part.ge is not None:
                    limited = (schema.properties or {})[field.encode_name]
                    if isinstance(limited, Schema):
                        limited.minimum = part.ge


def _structs(part: inspect.Type) -> Iterator[inspect.StructType]:
    for member in _members(part):
        if isinstance(member, inspect.StructType):
            yield member
            for field in member.fields:
                yield from _structs(field.type)


def _members(part: inspect.Type) -> Iterable[inspect.Type]:
    return part.types if isinstance(part, inspect.UnionType) else (part,)
