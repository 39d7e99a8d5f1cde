"""What the commands share: their options, and how an answer is printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec
from cyclopts import Parameter, validators
from msgspec import Struct

from app.commands.tables import shown
from app.errors import Invalid
from app.resources import Resources

BY = "cli"
"""Who acts, in the log."""

Given: TypeAlias = Annotated[Resources, Parameter(parse=False)]
"""The resources, which the command line opens; not an option."""
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


def answer(found: Sequence[Struct] | Struct, *, json: bool) -> str:
    """The text of an answer: a table or a sheet for people, or JSON for scripts."""
    return msgspec.json.encode(found).decode() if json else shown(found)


def checked(text: str, kind: object) -> str:
    """Return the text if it is of that kind.

    Raises:
        Invalid: it is not, with the kind's own description.
    """
    try:
        return str(msgspec.convert(text, kind))
    except msgspec.ValidationError:
        description = msgspec.json.schema(kind)["description"]
        raise Invalid(f"Expected {description[0].lower()}{description[1:]}") from None
