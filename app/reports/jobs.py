"""The jobs of reports."""

from __future__ import annotations

from datetime import date, timedelta

from app.jobs import Job
from app.users.user import UserId


def check_month(month: date) -> None:
    """
    Raises:
        ValueError: it is not the first day of a month, which names the month.
    """
    if month.day != 1:
        raise ValueError(f"a month is named by its first day, {month.replace(day=1)}, not {month}")


class ReportGenerate(Job, frozen=True):
    """Make one person's report of a month.

    The month is named by its first day.
    """

    kind = "report:generate"
    queue = "low"
    timeout = timedelta(minutes=10)
    expires_in = timedelta(days=14)

    user_id: UserId
    month: date

    def __post_init__(self) -> None:
        check_month(self.month)

    @property
    def unique_key(self) -> str:
        return f"{self.user_id} {self.month:%Y-%m}"


class ReportReadyEmail(Job, frozen=True):
    """Tell a person that the report of a month is ready."""

    kind = "email:report_ready"
    expires_in = timedelta(days=14)

    user_id: UserId
    month: date

    def __post_init__(self) -> None:
        check_month(self.month)

    @property
    def unique_key(self) -> str:
        return f"{self.user_id} {self.month:%Y-%m}"


class MonthlyReports(Job, frozen=True):
    """Make the report of a month for everybody who was active in it.

    `day` is the last of the month. A dry run counts the reports and the emails.
    """

    kind = "reports:monthly"
    timeout = timedelta(hours=1)

    day: date
    dry_run: bool = False
