"""The jobs that statistics cause."""

from __future__ import annotations

from datetime import date, timedelta

from app.jobs import Job
from app.users.user import UserId

SATURDAY = 5


class WeeklySummaryEmail(Job, frozen=True):
    """Send one person the summary of a week."""

    kind = "email:weekly_summary"
    expires_in = timedelta(days=6)

    user_id: UserId
    saturday: date

    def __post_init__(self) -> None:
        if self.saturday.weekday() != SATURDAY:
            raise ValueError(f"a week is named by its Saturday, and {self.saturday} is none")

    @property
    def unique_key(self) -> str:
        return f"{self.user_id} {self.saturday}"
