"""The jobs that accounts cause."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from app.jobs import Job
from app.users.user import ResetRequestId, UserId


class WelcomeEmail(Job, frozen=True):
    """The first letter; it carries the link that confirms the address."""

    kind = "email:welcome"
    queue = "critical"

    user_id: UserId

    @property
    def occasion(self) -> str:
        return str(self.user_id)


class ConfirmationEmail(Job, frozen=True):
    """Carries another link that confirms the address, for a person who asked for it."""

    kind = "email:confirmation"
    queue = "critical"
    useful_for = timedelta(days=1)

    user_id: UserId

    @property
    def occasion(self) -> str:
        return str(self.user_id)


class PasswordResetEmail(Job, frozen=True):
    """Sends the owner of an address, if it has one, the link under which a password is chosen."""

    kind = "email:password_reset"
    queue = "critical"
    useful_for = timedelta(hours=1)

    request_id: ResetRequestId

    @property
    def occasion(self) -> str:
        return str(self.request_id)

    @property
    def concerns(self) -> UUID | None:
        return None  # whether anybody has the address is found out when it runs


class EraseUser(Job, frozen=True):
    """Removes everything that a deleted account leaves."""

    kind = "user:erase"
    timeout = timedelta(minutes=30)
    retries = 10
    backoff = timedelta(minutes=1)

    user_id: UserId

    @property
    def occasion(self) -> str:
        return str(self.user_id)
