"""The jobs that accounts cause."""

from __future__ import annotations

from app.jobs import Job
from app.users.user import UserId


class WelcomeEmail(Job, frozen=True):
    """The first letter; it carries the link that confirms the address."""

    kind = "email:welcome"
    queue = "critical"

    user_id: UserId

    @property
    def occasion(self) -> str:
        return str(self.user_id)
