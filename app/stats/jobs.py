"""The jobs that statistics cause."""

from __future__ import annotations

from datetime import date, timedelta

from app.jobs import Job
from app.users.user import UserId


class WeeklySummaryEmail(Job, frozen=True):
    """Send one person the summary of a week."""

    kind = "email:weekly_summary"
    useful_for = timedelta(days=6)

    user_id: UserId
    saturday: date

    @property
    def occasion(self) -> str:
        return f"{self.user_id} {self.saturday}"
