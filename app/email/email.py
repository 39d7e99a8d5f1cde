"""An email is a type: a frozen struct of what it says, and the folder of its templates."""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import UUID

import msgspec

from app.email.unsubscribe import Subscription
from app.jinja import BrokenTemplate, Templates
from app.settings import Rate

EMAILS: dict[str, type[Email]] = {}
"""Every registered email type that has been imported, by its name."""

PARTS = ("subject.txt", "body.txt", "body.html")
GIVEN = {"app_url", "subject", "unsubscribe_url"}
"""What every template is given beside the email's own fields."""


class Email(msgspec.Struct, frozen=True):
    """What an email says, beside its words in `templates/email/<email>/`.

        class Welcome(Email, frozen=True):
            email = "welcome"
            name: str
            confirm_url: str

    The name is never changed while deliveries of it are recorded: it is part of their key.
    """

    template: ClassVar[str]
    subscription: ClassVar[Subscription | None] = None
    """What a person ends to get no more of them; None: the email answers an act, and is sent."""
    at_most: ClassVar[Rate | None] = None
    """How many emails of this type a person gets."""
    registered: ClassVar[bool] = True
    """False keeps an email out of `EMAILS`, and so out of the start-up check and the previews."""

    @classmethod
    def sample(cls) -> Self:
        """One as it might be, for those who work on its words and looks."""
        raise NotImplementedError

    @classmethod
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.registered:
            return
        if cls.template in EMAILS:
            raise TypeError(f"two emails named {cls.template}: {EMAILS[cls.template]} and {cls}")
        EMAILS[cls.template] = cls


class Recipient(msgspec.Struct, frozen=True):
    """Whom an email goes to."""

    id: UUID
    name: str
    address: str


def part(email: type[Email], name: str) -> str:
    return f"email/{email.template}/{name}"


def check_emails(templates: Templates) -> None:
    """Make sure that every email has its parts, that they name only what they are given, and that
    its sample can be written: what an entry of a list lacks shows in no other way.

    Raises:
        BrokenTemplate: names the first template at fault.
    """
    for email in EMAILS.values():
        given = {**dict.fromkeys(GIVEN, "given"), **msgspec.structs.asdict(email.sample())}
        for name in PARTS:
            path = part(email, name)
            if unknown := templates.variables(path) - given.keys():
                names = ", ".join(sorted(unknown))
                raise BrokenTemplate(path, f"uses {names}, which {email.__name__} does not define")
            templates.render(path, given)
