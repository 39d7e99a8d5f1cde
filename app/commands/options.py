"""The options that commands share, and the formatting of their results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec
from cyclopts import Parameter, validators
from msgspec import Struct

from app.commands.tables import format_result
from app.errors import Invalid
from app.resources import Resources

BY_CLI = "cli"
"""The actor named in log events and in the history of runs."""

InjectedResources: TypeAlias = Annotated[Resources, Parameter(parse=False)]
"""The resources that `app.__main__` opens and passes to a command. Not an option."""
Json: TypeAlias = Annotated[
    bool,
    Parameter(negative=(), show_default=False, help="Print JSON with all fields, for scripts."),
]
Limit: TypeAlias = Annotated[
    int,
    Parameter(
        validator=validators.Number(gte=1, lte=100_000), help="Maximum number of rows to print."
    ),
]


def render(result: Sequence[Struct] | Struct, *, json: bool) -> str:
    """Format a result as text for people, or as JSON for scripts."""
    return msgspec.json.encode(result).decode() if json else format_result(result)


def validated(text: str, annotation: object) -> str:
    """Return the text if it is valid for an annotated type.

    Raises:
        Invalid: the text is not valid; the message contains the type's description.
    """
    try:
        return str(msgspec.convert(text, annotation))
    except msgspec.ValidationError:
        description = msgspec.json.schema(annotation)["description"]
        raise Invalid(f"Expected {description[0].lower()}{description[1:]}") from None
