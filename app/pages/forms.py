"""Submitted forms: read into a struct, or shown again with their errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec
from litestar import Request

from app.errors import (
    Conflict,
    Failure,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
)
from app.web.failures import description_of

T = TypeVar("T", bound=msgspec.Struct)

FORM_FAILURES = (Conflict, Forbidden, Gone, Invalid, NotFound, TooMany, Unauthenticated)
"""The failures that are shown with the form, so that the user can correct it and try again."""


class InvalidForm(Invalid):
    """Fields are missing or invalid. `errors` maps each field's name to a sentence."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("Please check the fields below.")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form as submitted. Templates do not show passwords again."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    """Errors by field name."""
    error: str | None = None
    """An error that concerns the form as a whole."""

    def read(self, struct_type: type[T]) -> T:
        """Convert the fields to a struct. Empty fields count as absent, like unticked boxes.

        Raises:
            InvalidForm: a required field is missing, or a value does not fit its type.
        """
        values = {name: value for name, value in self.values.items() if value.strip()}
        errors = {}
        for part in msgspec.structs.fields(struct_type):
            if part.encode_name in values:
                problem = _problem(values[part.encode_name], part.type)
                if problem:
                    errors[part.encode_name] = problem
            elif part.required:
                errors[part.encode_name] = "Please fill this in."
        if errors:
            raise InvalidForm(errors)
        return msgspec.convert(values, struct_type, strict=False)

    def with_error(self, error: Failure) -> Form:
        """Return the form to show again after this failure."""
        match error:
            case InvalidForm():
                return replace(self, errors=error.errors, error=error.detail)
            case Invalid(field=str(name)) if name in self.values:
                return replace(self, errors={name: error.detail})
        return replace(self, error=error.detail)


async def submitted_form(request: Request[Any, Any, Any]) -> Form:
    fields = await request.form()
    return Form({name: value for name, value in fields.items() if isinstance(value, str)})


def _problem(value: str, annotation: Any) -> str | None:
    """Return why a value does not fit its type, or None if it does."""
    if "\0" in value:
        return "This contains a character that cannot be stored."
    try:
        msgspec.convert(value, annotation, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        return description_of(annotation) or str(error).replace("`", "") + "."
    return None
