"""Read sections of settings from environment variables. Other modules define the sections."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec
from dotenv import dotenv_values
from msgspec.inspect import IntType, LiteralType, type_info

T = TypeVar("T")

LOCAL_HOSTS = {None, "", "localhost", "127.0.0.1", "::1"}
"""The hosts that mean this machine in a URL; None means a Unix socket."""

REMEDIES = {
    "DATABASE_URL": "for example postgresql://activelog:PASSWORD@db.example.com/activelog",
    "REDIS_URL": "for example redis://:PASSWORD@redis.example.com",
    "SMTP_URL": "for example smtp://user:PASSWORD@smtp.example.com:587?tls=starttls",
    "AWS_ACCESS_KEY_ID": "get it from your S3 provider",
    "AWS_SECRET_ACCESS_KEY": "get it from your S3 provider",
    "SECRET_KEY": "generate one with `openssl rand -hex 32`",
}
"""How to fix a required setting that is missing."""

INVALID_SETTINGS_EXIT_CODE = 2


class SettingsError(Exception):
    """Settings are missing or invalid. The message has a line for each, without any secret."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        """`problems` maps each variable to what is wrong with it."""
        super().__init__("\n".join(f"{name} {problem}" for name, problem in problems.items()))
        self.variables = list(problems)


def report_error(error: Exception | str) -> None:
    """Print an error to stderr without a traceback. Logging may not be configured yet."""
    for line in str(error).splitlines():
        print(f"activelog: {line}", file=sys.stderr)  # noqa: T201 # before logging is configured


def environment_with_dotenv(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Merge the environment over a folder's `.env`.

    If ENVIRONMENT is `production` or `test`, in any case, `.env` is not read.
    """
    if text_of(environ, "ENVIRONMENT").lower() in {"production", "test"}:
        return dict(environ)
    from_file = {k: v for k, v in dotenv_values(folder / ".env").items() if v is not None}
    return {**from_file, **environ}


def text_of(environ: Mapping[str, str], variable: str) -> str:
    """Return the text of a variable; an absent variable counts as empty."""
    return environ.get(variable, "").strip()


class Field(NamedTuple):
    """A field of a section: a variable, `Annotated[<type>, "<VARIABLE>"]`, or another section.

    msgspec converts the text of the variable to the type. Where that is not enough, the
    annotation contains a parser, which raises ValueError with a description of the problem.
    """

    name: str
    variable: str
    type: Any
    is_section: bool
    convert: Callable[[str], Any]
    required: bool


def read(section: type[T], environ: Mapping[str, str]) -> T:
    """Read one section.

    Raises:
        SettingsError: variables of the section are missing or invalid.
    """
    problems: dict[str, str] = {}
    values = read_values(section, environ, problems)
    if problems:
        raise SettingsError(problems)
    return build(section, values)


def read_values(
    section: type, environ: Mapping[str, str], problems: dict[str, str]
) -> dict[str, Any]:
    """Read the variables of a section and of the sections in it, and add errors to `problems`.

    Returns:
        The values by variable. Absent and invalid variables are left out.
    """
    values: dict[str, Any] = {}
    for field in _fields(section):
        if field.is_section:
            values |= read_values(field.type, environ, problems)
        elif text := text_of(environ, field.variable):
            try:
                values[field.variable] = field.convert(text)
            except ValueError as error:
                problems[field.variable] = str(error)
        elif field.required:
            problems[field.variable] = f"is not set: {REMEDIES[field.variable]}"
    return values


def build(section: type[T], values: Mapping[str, Any]) -> T:
    """Make a section from its variables' values. Fields without a value keep their defaults."""
    given: dict[str, Any] = {}
    for field in _fields(section):
        if field.is_section:
            given[field.name] = build(field.type, values)
        elif field.variable in values:
            given[field.name] = values[field.variable]
    return section(**given)


def _fields(section: Any) -> Iterator[Field]:
    hints = get_type_hints(section, include_extras=True)
    for field in fields(section):
        hint = hints[field.name]
        notes = get_args(hint)[1:]
        yield Field(
            field.name,
            variable=next((note for note in notes if isinstance(note, str)), ""),
            type=hint,
            is_section=is_dataclass(hint),
            convert=next(filter(callable, notes), partial(convert, type_=hint)),
            required=field.default is MISSING and field.default_factory is MISSING,
        )


def convert(text: str, type_: Any) -> Any:
    """Convert text to a type.

    Raises:
        ValueError: the text cannot be converted. The message says what is expected, but does not
            quote the text.
    """
    expected = type_info(type_)
    try:
        return msgspec.convert(
            text.lower() if isinstance(expected, LiteralType) else text, type_, strict=False
        )
    except msgspec.ValidationError as error:
        match expected:
            case IntType(ge=least, le=most):
                problem = f"must be a whole number from {least} to {most}"
            case LiteralType(values=choices):
                problem = f"must be one of {', '.join(sorted(map(str, choices)))}"
            case _:
                raise TypeError(f"no error message for settings of type {type_}") from error
        raise ValueError(problem) from None
