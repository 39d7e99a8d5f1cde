"""What a person has filled into a form, read into a struct or shown again with what is wrong."""

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

REFUSALS = (Conflict, Forbidden, Gone, Invalid, NotFound, TooMany, Unauthenticated)
"""What a person can answer by filling the form in otherwise."""


class WrongForm(Invalid):
    """Fields are missing or wrong, each with a sentence."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__("Please check the fields below.")
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Form:
    """The fields as they were sent. Passwords are read and never shown again."""

    values: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with a field, by its name."""
    refusal: str | None = None
    """What is wrong with the whole."""

    def read(self, shape: type[T]) -> T:
        """The struct that the fields make. An empty field counts as none, as an unticked box does.

        Raises:
            WrongForm: they make none.
        """
        given = {name: value for name, value in self.values.items() if value.strip()}
        wrong = {}
        for part in msgspec.structs.fields(shape):
            if part.encode_name in given:
                problem = _problem(given[part.encode_name], part.type)
                if problem:
                    wrong[part.encode_name] = problem
            elif part.required:
                wrong[part.encode_name] = "Please fill this in."
        if wrong:
            raise WrongForm(wrong)
        return msgspec.convert(given, shape, strict=False)

    def refused(self, error: Failure) -> Form:
        """The form as it is shown again after this failure."""
        match error:
            case WrongForm():
                return replace(self, wrong=error.wrong, refusal=error.detail)
            case Invalid(field=str(name)) if name in self.values:
                return replace(self, wrong={name: error.detail})
        return replace(self, refusal=error.detail)


async def sent_form(request: Request[Any, Any, Any]) -> Form:
    sent = await request.form()
    return Form({name: value for name, value in sent.items() if isinstance(value, str)})


def _problem(value: str, annotation: Any) -> str | None:
    if "\0" in value:
        return "This contains a character that cannot be stored."
    try:
        msgspec.convert(value, annotation, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        return description_of(annotation) or str(error).replace("`", "") + "."
    return None
