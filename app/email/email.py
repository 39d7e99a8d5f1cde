"""Email types: each is a frozen struct of an email's variables, with a folder of templates."""

from __future__ import annotations

from typing import ClassVar, Literal, Self
from uuid import UUID

import msgspec

from app.email.subscriptions import Subscription
from app.jinja import BrokenTemplate, Templates
from app.settings import Rate

EMAILS: dict[str, type[Email]] = {}
"""Every registered email type that has been imported, by its name."""

PARTS = ("subject.txt", "body.txt", "body.html")
COMMON_VARIABLES = {"app_url", "subject", "unsubscribe_url"}
"""The variables available to every template, in addition to the email's own fields. Only the bodies
have `subject`."""


class Email(msgspec.Struct, frozen=True):
    """An email's variables. Its text is in `templates/email/<template>/`.

        class Welcome(Email, frozen=True):
            template = "welcome"

            name: str
            confirm_url: str

    Never rename a template that has been sent: its name is part of the delivery ledger's key.
    """

    template: ClassVar[str]
    subscription: ClassVar[Subscription | None] = None
    """The subscription that a person can end to stop these emails. If None, nobody can turn them
    off, because each responds to an action."""
    limit_per_person: ClassVar[Rate | None] = None
    """How many emails of this type one person may get in a period. None means no limit."""
    reaches: ClassVar[Literal["anyone", "confirmed"]] = "confirmed"
    """Whom emails of this type may reach: only people who have confirmed their address, or anyone.

    Only an email that lets its recipient confirm or leave may reach anyone."""
    may_use_reserve: ClassVar[bool] = False
    """Whether this email may be the last of the day to an unconfirmed address."""
    registered: ClassVar[bool] = True
    """False keeps an email out of `EMAILS`: it is neither checked at startup nor previewed."""

    @classmethod
    def sample(cls) -> Self:
        """Return a realistic example, for the previews and the startup check."""
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
    """The person to whom an email is sent."""

    id: UUID
    name: str
    address: str


def template_path(email: type[Email], part: str) -> str:
    """Return the path of one of an email's `PARTS`."""
    return f"email/{email.template}/{part}"


def check_emails(templates: Templates) -> None:
    """Check that every email has all templates, and that its sample renders.

    Only rendering shows that a template uses a field that a list's entries lack.

    Raises:
        BrokenTemplate: a template has an error. The message names the first such template.
    """
    for email in EMAILS.values():
        common = dict.fromkeys(COMMON_VARIABLES, "common")
        variables = {**common, **msgspec.structs.asdict(email.sample())}
        for part in PARTS:
            path = template_path(email, part)
            if unknown := templates.variables(path) - variables.keys():
                names = ", ".join(sorted(unknown))
                raise BrokenTemplate(path, f"uses {names}, which {email.__name__} does not define")
            templates.render(path, variables)
