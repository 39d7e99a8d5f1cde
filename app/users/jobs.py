"""The jobs that accounts cause."""

from __future__ import annotations

from datetime import timedelta

from app.jobs import Job
from app.users.user import ResetRequestId, UserId


class WelcomeEmail(Job, frozen=True):
    """Send the welcome email, with the link that confirms the address."""

    kind = "email:welcome"
    queue = "critical"

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


class ConfirmationEmail(Job, frozen=True):
    """Send another link that confirms the address."""

    kind = "email:confirmation"
    queue = "critical"
    expires_in = timedelta(days=1)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)


class PasswordResetEmail(Job, frozen=True):
    """Sends the owner of an address, if it has one, the link under which a password is chosen."""

    kind = "email:password_reset"
    queue = "critical"
    expires_in = timedelta(hours=1)

    request_id: ResetRequestId

    @property
    def unique_key(self) -> str:
        return str(self.request_id)


class EraseUser(Job, frozen=True):
    """Erase what a deleted account has left."""

    kind = "user:erase"
    timeout = timedelta(minutes=30)
    retries = 10
    backoff = timedelta(minutes=1)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)
