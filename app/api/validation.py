"""What a request may hold, checked before a handler sees any of it.

A query has no parameter that its route does not take: a misspelt filter would silently filter
nothing. A body has the media type that its route takes; a JSON body is read strictly, straight into
the handler's struct. No string anywhere holds a NUL, which Postgres cannot store.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.enums import HttpMethod, RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import BodyKwarg
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from app.api.errors import FieldProblem, UnknownParameters, WrongBody
from app.errors import Invalid
from app.web.failures import description_of

QUERY = "query"
"""The option of a handler that names its query parameters; a handler without it takes any."""


def note_query_parameters(app: Litestar, path: str) -> None:
    """Note for each handler below a path which parameters it and its dependencies read, by alias.

    Not for OPTIONS: a browser's preflight has the query of the request that it precedes.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path.startswith(f"{path}/"):
            for method, (handler, model) in route.route_handler_map.items():
                if method != HttpMethod.OPTIONS:
                    handler.opt[QUERY] = {one.field_alias for one in model.expected_query_params}


async def check_input(request: Request[Any, Any, Any]) -> None:
    """Refuse a NUL in the address, unknown parameters, another media type, and a missing body.

    Raises:
        Invalid, UnknownParameters, HTTPException: as said.
    """
    query = request.scope["query_string"]
    if "\0" in request.scope["path"] or b"%00" in query or b"\0" in query:
        raise Invalid("The URL must not contain a NUL character.")
    if query:
        _refuse_unknown_parameters(request)
    body = request.route_handler.parsed_data_field
    if body is None:
        return
    expected, given = _media_type(body), request.content_type[0]
    if given != expected:
        raise HTTPException(f"This route accepts {expected}.", status_code=415)
    if expected == RequestEncodingType.JSON and not await request.body():
        raise Invalid("The body is missing.")


def _refuse_unknown_parameters(request: Request[Any, Any, Any]) -> None:
    taken = request.route_handler.opt.get(QUERY)
    if taken is None:
        return
    if unknown := [name for name in dict.fromkeys(request.query_params) if name not in taken]:
        raise UnknownParameters(unknown, taken)


def _media_type(body: FieldDefinition) -> str:
    definition = body.kwarg_definition
    media_type = definition.media_type if isinstance(definition, BodyKwarg) else "application/json"
    return media_type.value if isinstance(media_type, RequestEncodingType) else media_type


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON must be what the handler's `data` is annotated with."""

    async def json(self) -> Any:
        """
        Raises:
            Invalid: it is not JSON.
            WrongBody: it is JSON of another shape.
        """
        body, kind = await self.body(), self._kind()
        try:
            value = _decoder(kind).decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise WrongBody(_wrong_parts(kind, _any_json(body))) from None
        if rb"\u0000" in body:
            _refuse_nul(_any_json(body))
        return value

    def _kind(self) -> type[msgspec.Struct]:
        definition = self.route_handler.parsed_data_field
        if definition is None or not issubclass(definition.annotation, msgspec.Struct):
            raise TypeError(f"{self.route_handler} takes a body that is no struct")
        kind: type[msgspec.Struct] = definition.annotation
        return kind


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _any_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise Invalid("The body is nested too deeply.") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise Invalid(f"The body is not valid JSON: {error}.") from None


def _refuse_nul(value: Any, path: str = "") -> None:
    match value:
        case str() if "\0" in value:
            raise Invalid("Must not contain a NUL character.", field=path or None)
        case dict():
            for name, part in value.items():
                _refuse_nul(name, path)
                _refuse_nul(part, f"{path}.{name}" if path else name)
        case list():
            for index, part in enumerate(value):
                _refuse_nul(part, f"{path}[{index}]")


def _wrong_parts(kind: type[msgspec.Struct], value: Any) -> list[FieldProblem]:
    """Say what is wrong with all fields, where msgspec stops at the first."""
    _refuse_nul(value)
    if not isinstance(value, dict):
        return [FieldProblem("body", "Expected an object.")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    wrong = [FieldProblem(name, "Unknown field.") for name in value if name not in fields]
    for name, field in fields.items():
        if name not in value:
            if field.required:
                wrong.append(FieldProblem(name, "This field is required."))
            continue
        try:
            msgspec.convert(value[name], field.type)
        except (msgspec.ValidationError, ValueError) as error:
            wrong.append(_explained(name, field.type, str(error)))
    return wrong or [FieldProblem("body", "The fields contradict each other.")]


def _explained(name: str, annotation: Any, message: str) -> FieldProblem:
    """Put msgspec's message into words, and a pattern's description in the place of the pattern."""
    said, _, path = message.partition(" - at `$")
    if "matching regex" in said:
        said = description_of(annotation) or "Wrong format."
    return FieldProblem(name + path.rstrip("`"), said.replace("`", ""))
