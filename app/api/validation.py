"""Request checks that run before the handler.

A query may have only parameters that its route accepts, each of them once: otherwise a misspelled
or repeated filter would be silently ignored. A body must be uncompressed and must have the media
type that its route accepts. A JSON body is decoded strictly, straight into the handler's struct. No
string may contain a NUL, because Postgres cannot store it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.datastructures.multi_dicts import FormMultiDict
from litestar.enums import HttpMethod, RequestEncodingType
from litestar.exceptions import HTTPException, InternalServerException
from litestar.params import BodyKwarg
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from app.api.errors import ClientDisconnected, FieldError, InvalidBody, UnknownParameters
from app.errors import Invalid
from app.web.encodings import refuse_content_encoding
from app.web.failures import description_of

DISCONNECTED = "client disconnected prematurely"
"""Litestar's detail for a body that was cut off."""
ACCEPTED_PARAMETERS = "accepted_parameters"
"""The `opt` key for a handler's query parameters, and whether each may be repeated.

Without it, the handler accepts any.
"""


def register_query_parameters(app: Litestar, path: str) -> None:
    """Register the query parameters of the handlers under a path and of their dependencies.

    OPTIONS is left out: a browser's preflight has the same query as the request that it precedes.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path.startswith(f"{path}/"):
            for method, (handler, model) in route.route_handler_map.items():
                if method != HttpMethod.OPTIONS:
                    handler.opt[ACCEPTED_PARAMETERS] = {
                        parameter.field_alias: parameter.is_sequence
                        for parameter in model.expected_query_params
                    }


async def validate_request(request: Request[Any, Any, Any]) -> None:
    """Refuse a NUL in the URL, unknown or repeated parameters, and a body that cannot be decoded.

    Raises:
        Invalid: the URL contains a NUL or repeats a parameter, or the body is missing.
        UnknownParameters: the route does not accept some of the query parameters.
        HTTPException: the media type is wrong, or the body is compressed (415).
    """
    query = request.scope["query_string"]
    if "\0" in request.scope["path"] or b"%00" in query or b"\0" in query:
        raise Invalid("The URL must not contain a NUL character.")
    if query:
        _check_parameters(request)
    refuse_content_encoding(request)
    body = request.route_handler.parsed_data_field
    if body is None:
        return
    expected, actual = _media_type(body), request.content_type[0]
    if actual != expected:
        raise HTTPException(
            f"This route accepts {expected}.", status_code=415, headers={"Accept": expected}
        )
    if expected == RequestEncodingType.JSON and not await request.body():
        raise Invalid("The body is missing.")
    if expected == RequestEncodingType.MULTI_PART:
        await request.form()  # Litestar's own reading of a form would not translate errors


def _check_parameters(request: Request[Any, Any, Any]) -> None:
    accepted = request.route_handler.opt.get(ACCEPTED_PARAMETERS)
    if accepted is None:
        return
    if unknown := [name for name in dict.fromkeys(request.query_params) if name not in accepted]:
        raise UnknownParameters(unknown, accepted)
    for name, may_repeat in accepted.items():
        if not may_repeat and len(request.query_params.getall(name, [])) > 1:
            raise Invalid(f"The query parameter {name} must not be repeated.", field=name)


def _media_type(body: FieldDefinition) -> str:
    definition = body.kwarg_definition
    media_type = definition.media_type if isinstance(definition, BodyKwarg) else "application/json"
    return media_type.value if isinstance(media_type, RequestEncodingType) else media_type


class StrictRequest(Request[Any, Any, Any]):
    """A request that decodes its JSON body into the struct of its handler's `data` parameter.

    Bodies that are cut off, and forms whose text cannot be decoded, are the client's errors.
    """

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives.

        Raises:
            ClientDisconnected: the client disconnected before the end of the body.
        """
        try:
            async for chunk in super().stream():
                yield chunk
        except InternalServerException as error:
            if error.detail != DISCONNECTED:
                raise
            raise ClientDisconnected from error

    async def form(self) -> FormMultiDict:
        """Decode the form.

        Raises:
            Invalid: some text is not in the character set that the form states, or in UTF-8 if it
                states none, or we do not know the character set.
        """
        try:
            return await super().form()
        except (UnicodeDecodeError, LookupError) as error:
            raise Invalid("The text of a form must be UTF-8.") from error

    async def json(self) -> Any:
        """Decode the body.

        Raises:
            Invalid: the body is not JSON, is nested too deeply, or contains a NUL.
            InvalidBody: the body is JSON that does not fit the struct.
        """
        body, body_type = await self.body(), self._body_type()
        try:
            value = _decoder(body_type).decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise InvalidBody(_field_errors(body_type, _decode_any(body))) from None
        if rb"\u0000" in body:
            _refuse_nul(_decode_any(body))
        return value

    def _body_type(self) -> type[msgspec.Struct]:
        definition = self.route_handler.parsed_data_field
        if definition is None or not issubclass(definition.annotation, msgspec.Struct):
            raise TypeError(f"the body of {self.route_handler} is not a struct")
        body_type: type[msgspec.Struct] = definition.annotation
        return body_type


@cache
def _decoder(body_type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(body_type)


def _decode_any(body: bytes) -> Any:
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


def _field_errors(body_type: type[msgspec.Struct], value: Any) -> list[FieldError]:
    """Return the errors in all fields. msgspec itself stops at the first error."""
    _refuse_nul(value)
    if not isinstance(value, dict):
        return [FieldError("body", "Expected an object.")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(body_type)}
    field_errors = [FieldError(name, "Unknown field.") for name in value if name not in fields]
    for name, field in fields.items():
        if name not in value:
            if field.required:
                field_errors.append(FieldError(name, "This field is required."))
            continue
        try:
            msgspec.convert(value[name], field.type)
        except (msgspec.ValidationError, ValueError) as error:
            field_errors.append(_field_error(name, field.type, str(error)))
    return field_errors or [FieldError("body", "The fields contradict each other.")]


def _field_error(name: str, annotation: Any, message: str) -> FieldError:
    """Reword msgspec's message: a type's description says more than its regular expression."""
    detail, _, path = message.partition(" - at `$")
    if "matching regex" in detail:
        detail = description_of(annotation) or "Wrong format."
    return FieldError(name + path.rstrip("`"), detail.replace("`", ""))
