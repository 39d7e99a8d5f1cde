"""What msgspec finds wrong, in words for people."""

from __future__ import annotations

from typing import Any, get_args

from msgspec import Meta


def description_of(annotation: Any) -> str | None:
    """How a type describes what it takes, in the first of its `Meta` that does."""
    for part in get_args(annotation):
        found = part.description if isinstance(part, Meta) else description_of(part)
        if found:
            return found
    return None
