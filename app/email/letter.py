"""A letter is a type: a frozen struct of what it says, and the folder of its templates."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import msgspec

from app.jinja import BrokenTemplate, Templates

LETTERS: dict[str, type[Letter]] = {}
"""Every letter type that has been imported, by its name."""

PARTS = ("subject.txt", "body.txt", "body.html")
GIVEN = {"app_url", "subject"}
"""What every template is given beside the letter's own fields."""


class Letter(msgspec.Struct, frozen=True):
    """What a letter says, beside its words in `templates/email/<letter>/`.

        class Welcome(Letter, frozen=True):
            letter = "welcome"
            name: str
            confirm_url: str

    The name is never changed while deliveries of it are recorded: it is part of their key.
    """

    letter: ClassVar[str]

    @classmethod
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.letter in LETTERS:
            raise TypeError(f"two letters called {cls.letter}: {LETTERS[cls.letter]} and {cls}")
        LETTERS[cls.letter] = cls


class Recipient(msgspec.Struct, frozen=True):
    """Whom a letter goes to."""

    id: UUID
    name: str
    address: str


def part(letter: type[Letter], name: str) -> str:
    return f"email/{letter.letter}/{name}"


def check_letters(templates: Templates) -> None:
    """Make sure that every letter has its parts, and that they name only what they are given.

    Raises:
        BrokenTemplate: names the first template at fault.
    """
    for letter in LETTERS.values():
        for name in PARTS:
            path = part(letter, name)
            unknown = templates.variables(path) - set(letter.__struct_fields__) - GIVEN
            if unknown:
                names = ", ".join(sorted(unknown))
                raise BrokenTemplate(path, f"names {names}, which {letter.__name__} does not give")
