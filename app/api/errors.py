"""Every failure as problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg
from msgspec import UNSET, Struct, UnsetType

from app import errors
from app.web.failures import headers_of, status_of

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

SENTENCES = {
    404: "This route does not exist.",
    405: "This route does not accept this method.",
    413: "The body is too large for this route.",
}
"""What is said where Litestar only names the status."""


class FieldProblem(Struct, frozen=True):
    """What is wrong with one part of a request."""

    field: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True):
    """A failure. `errors` is there when parts of the request are to blame."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | UnsetType = UNSET


class WrongBody(Exception):
    """The body of a request was read and does not fit."""

    def __init__(self, wrong: list[FieldProblem]) -> None:
        super().__init__(wrong)
        self.wrong = wrong


class UnknownParameters(Exception):
    """The query of a request has parameters that its route does not take."""

    def __init__(self, unknown: Sequence[str], taken: Collection[str]) -> None:
        super().__init__(unknown, taken)
        self.unknown = unknown
        self.taken = taken


def problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Translate any exception. What was not foreseen is logged here and tells nothing outside."""
    if isinstance(error, errors.Failure):
        return _failure(error)
    if isinstance(error, WrongBody):
        return _wrong_parts(error.wrong)
    if isinstance(error, UnknownParameters):
        return _unknown_parameters(error)
    if isinstance(error, ValidationException):
        return _wrong_parts(_parameters(request, error))
    if isinstance(error, HTTPException) and error.status_code < 500:
        status = error.status_code
        said = error.detail if error.detail != HTTPStatus(status).phrase else ""
        return _response(status, SENTENCES.get(status, said) or said, headers=error.headers)
    log.error("unexpected exception", exc_info=error)
    return _response(500, "Something went wrong.")


def _failure(error: errors.Failure) -> Response[Problem]:
    headers = headers_of(error)
    wrong: list[FieldProblem] | UnsetType = UNSET
    match error:
        case errors.Unauthenticated():
            headers["WWW-Authenticate"] = "Bearer"
        case errors.Unavailable():
            log.warning("outage", dependency=error.dependency, detail=error.detail)
        case errors.Invalid(field=str(field)):
            wrong = [FieldProblem(field, error.detail)]
    return _response(status_of(error), error.detail, headers=headers, wrong=wrong)


def _wrong_parts(wrong: list[FieldProblem]) -> Response[Problem]:
    names = ", ".join(dict.fromkeys(part.field for part in wrong))
    return _response(400, f"Invalid fields: {names}.", wrong=wrong)


def _unknown_parameters(error: UnknownParameters) -> Response[Problem]:
    takes = ", ".join(sorted(error.taken)) or "no query parameters"
    return _response(
        400,
        f"Unknown query parameters: {', '.join(error.unknown)}. This route accepts {takes}.",
        wrong=[FieldProblem(name, "Unknown query parameter.") for name in error.unknown],
    )


def _parameters(request: Request[Any, Any, Any], error: ValidationException) -> list[FieldProblem]:
    """What Litestar says of parameters, by the names that they have in the request."""
    known = request.route_handler.parsed_fn_signature.parameters
    wrong = []
    for part in error.extra if isinstance(error.extra, list) else []:
        name = part.get("key", "request")
        definition = known[name].kwarg_definition if name in known else None
        alias = definition.name if isinstance(definition, ParameterKwarg) else None
        wrong.append(FieldProblem(alias or name, part["message"].replace("`", "")))
    return wrong or [FieldProblem("request", error.detail.partition(" for path ")[0])]


def _response(
    status: int,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    wrong: list[FieldProblem] | UnsetType = UNSET,
) -> Response[Problem]:
    title = HTTPStatus(status).phrase
    content = Problem(title=title, status=status, detail=detail or title, errors=wrong)
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=headers)
