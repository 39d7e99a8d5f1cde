"""A letter is a type: a frozen struct of what it says, and the folder of its templates."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, NamedTuple, Self
from uuid import UUID

import msgspec

from app.email.unsubscribe import Subscription
from app.jinja import BrokenTemplate, Templates

LETTERS: dict[str, type[Letter]] = {}
"""Every registered letter type that has been imported, by its name."""

PARTS = ("subject.txt", "body.txt", "body.html")
GIVEN = {"app_url", "subject", "unsubscribe_url"}
"""What every template is given beside the letter's own fields."""


class AtMost(NamedTuple):
    """So many letters of a kind to one person in any period of this length."""

    most: int
    period: timedelta


class Letter(msgspec.Struct, frozen=True):
    """What a letter says, beside its words in `templates/email/<letter>/`.

        class Welcome(Letter, frozen=True):
            letter = "welcome"
            name: str
            confirm_url: str

    The name is never changed while deliveries of it are recorded: it is part of their key.
    """

    letter: ClassVar[str]
    subscription: ClassVar[Subscription | None] = None
    """What a person ends to get no more of them; None: the letter answers an act, and is sent."""
    at_most: ClassVar[AtMost | None] = None
    registered: ClassVar[bool] = True
    """False keeps a letter out of `LETTERS`, and so out of the start-up check and the previews."""

    @classmethod
    def sample(cls) -> Self:
        """One as it might be, for those who work on its words and looks."""
        raise NotImplementedError

    @classmethod
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.registered:
            return
        if cls.letter in LETTERS:
            raise TypeError(f"two emails named {cls.letter}: {LETTERS[cls.letter]} and {cls}")
        LETTERS[cls.letter] = cls


class Recipient(msgspec.Struct, frozen=True):
    """Whom a letter goes to."""

    id: UUID
    name: str
    address: str


def part(letter: type[Letter], name: str) -> str:
    return f"email/{letter.letter}/{name}"


def check_letters(templates: Templates) -> None:
    """Make sure that every letter has its parts, that they name only what they are given, and that
    its sample can be written: what an entry of a list lacks shows in no other way.

    Raises:
        BrokenTemplate: names the first template at fault.
    """
    for letter in LETTERS.values():
        given = {**dict.fromkeys(GIVEN, "given"), **msgspec.structs.asdict(letter.sample())}
        for name in PARTS:
            path = part(letter, name)
            if unknown := templates.variables(path) - given.keys():
                names = ", ".join(sorted(unknown))
                raise BrokenTemplate(path, f"uses {names}, which {letter.__name__} does not define")
            templates.render(path, given)
