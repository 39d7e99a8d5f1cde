"""Problem responses (RFC 9457, problem+json) for all exceptions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import ClientException, HTTPException, ValidationException
from litestar.params import ParameterKwarg
from msgspec import UNSET, Struct, UnsetType

from app import errors
from app.problems import ProblemType
from app.web.failures import headers_of, phrase_of, status_of

log = structlog.get_logger(__name__)

PROBLEM_JSON = "application/problem+json"

DETAILS_BY_STATUS = {
    404: "This route does not exist.",
    405: "This route does not accept this method.",
    413: "The body is too large for this route.",
}
"""Details that replace Litestar's own."""


class FieldError(Struct, frozen=True):
    """An invalid part of a request."""

    field: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True):
    """The body of an error response. It has `errors` if parts of the request are invalid.

    `type` is `about:blank`, or a URI from app/problems.py.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] | UnsetType = UNSET


class InvalidBody(Exception):
    """The body of a request is JSON, but is not an object or has invalid fields."""

    def __init__(self, field_errors: list[FieldError]) -> None:
        super().__init__(field_errors)
        self.field_errors = field_errors


class ClientDisconnected(ClientException):
    """The client disconnected before it had sent the whole body. It gets no response."""

    detail = "The body ended early."


class UnknownParameters(Exception):
    """The query of a request has parameters that its route does not accept."""

    def __init__(self, unknown: Sequence[str], accepted: Collection[str]) -> None:
        super().__init__(unknown, accepted)
        self.unknown = unknown
        self.accepted = accepted


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Translate any exception into a response. Log unexpected ones without disclosing them."""
    if isinstance(error, errors.Failure):
        return _failure(error)
    if isinstance(error, InvalidBody):
        return _invalid_fields(error.field_errors)
    if isinstance(error, UnknownParameters):
        return _unknown_parameters(error)
    if isinstance(error, ValidationException):
        return _invalid_fields(_parameter_errors(request, error))
    if isinstance(error, HTTPException) and error.status_code < 500:
        status = error.status_code
        detail = error.detail if error.detail != HTTPStatus(status).phrase else ""  # the default
        return _response(status, DETAILS_BY_STATUS.get(status, detail), headers=error.headers)
    log.error("request.failed", exc_info=error)
    return _response(500, "Something went wrong.")


def _failure(error: errors.Failure) -> Response[Problem]:
    headers = headers_of(error)
    field_errors: list[FieldError] | UnsetType = UNSET
    match error:
        case errors.Unauthenticated():
            headers["WWW-Authenticate"] = "Bearer"
        case errors.Unavailable():
            log.warning("dependency.failed", dependency=error.dependency, detail=error.detail)
        case errors.StatementCancelled():
            log.warning("statement.cancelled", exc_info=error)
        case errors.Invalid(field=str(field)):
            field_errors = [FieldError(field, error.detail)]
    return _response(
        status_of(error),
        error.detail,
        problem=error.problem,
        headers=headers,
        field_errors=field_errors,
    )


def _invalid_fields(field_errors: list[FieldError]) -> Response[Problem]:
    names = ", ".join(dict.fromkeys(error.field for error in field_errors))
    return _response(400, f"Invalid fields: {names}.", field_errors=field_errors)


def _unknown_parameters(error: UnknownParameters) -> Response[Problem]:
    unknown = ", ".join(error.unknown)
    accepted = ", ".join(sorted(error.accepted)) or "no query parameters"
    return _response(
        400,
        f"Unknown query parameters: {unknown}. This route accepts {accepted}.",
        field_errors=[FieldError(name, "Unknown query parameter.") for name in error.unknown],
    )


def _parameter_errors(
    request: Request[Any, Any, Any], error: ValidationException
) -> list[FieldError]:
    """Return Litestar's parameter errors under the names that the parameters have in requests."""
    parameters = request.route_handler.parsed_fn_signature.parameters
    field_errors = []
    for part in error.extra if isinstance(error.extra, list) else []:
        name = part.get("key", "request")
        definition = parameters[name].kwarg_definition if name in parameters else None
        alias = definition.name if isinstance(definition, ParameterKwarg) else None
        field_errors.append(FieldError(alias or name, part["message"].replace("`", "")))
    return field_errors or [FieldError("request", error.detail.partition(" for path ")[0])]


def _response(
    status: int,
    detail: str,
    *,
    problem: ProblemType | None = None,
    headers: dict[str, str] | None = None,
    field_errors: list[FieldError] | UnsetType = UNSET,
) -> Response[Problem]:
    title = problem.title if problem else phrase_of(status)
    content = Problem(
        type=problem.uri if problem else "about:blank",
        title=title,
        status=status,
        detail=detail or title,
        errors=field_errors,
    )
    return Response(content, status_code=status, media_type=PROBLEM_JSON, headers=headers)
