"""The email about a new report, with its job and handler."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Self

import msgspec

from app.email import Email, EmailSender, Recipient, deliver, one_line
from app.email.formatting import day, distance, duration
from app.jobs import Job, Run, handles
from app.postgres.database import Transaction
from app.reports import statements
from app.reports.report import check_month, last_day, slug
from app.stats import daily_totals
from app.stats.totals import DayTotals, total
from app.users.user import UserId


class SendReportReadyEmail(Job, frozen=True):
    """Tell a user by email that the report for a month is ready."""

    kind = "email:report_ready"
    expires_in = timedelta(days=14)

    user_id: UserId
    month: date

    def __post_init__(self) -> None:
        check_month(self.month)

    @property
    def unique_key(self) -> str:
        return f"{self.user_id} {self.month:%Y-%m}"


SAMPLE_URL = "https://activelog.example/reports/2026-11/download"


class Total(msgspec.Struct, frozen=True):
    """A total for the month, with its label."""

    label: str
    value: str


class ReportReady(Email, frozen=True):
    """The email that says that a month's report is ready, with the month's totals."""

    template = "report_ready"
    subscription = "monthly_report"

    name: str
    month: str
    headline: str
    active_days: int
    best_day: str
    """The day with the longest total time; empty if the month no longer has any activities."""
    totals: Sequence[Total]
    report_url: str

    @classmethod
    def sample(cls) -> Self:
        seconds = {3: 3120, 5: 2280, 8: 6020, 12: 2700, 15: 9840, 21: 4140, 28: 5400}
        days = [
            DayTotals(date(2026, 11, n), int(n in seconds), s * 2.8, s, s // 6)
            for n in range(1, 31)
            for s in [seconds.get(n, 0)]
        ]
        return cls.from_days("Ada Lovelace", days, SAMPLE_URL)

    @classmethod
    def from_days(cls, name: str, days: Sequence[DayTotals], report_url: str) -> Self:
        """Make the email from the daily totals.

        Args:
            days: all days of the month.
        """
        totals = total(days)
        best = max(days, key=lambda day: day.duration_s)
        energy = f"{totals.calories:,} kcal"
        return cls(
            name=name,
            month=f"{days[0].day:%B %Y}",
            headline=f"{_count(totals.activities)}, {duration(totals.duration_s)}",
            active_days=sum(day.activities > 0 for day in days),
            best_day=f"{day(best.day)}, {duration(best.duration_s)}" if best.duration_s else "",
            totals=[
                Total("Activities", f"{totals.activities:,}"),
                Total("Time", duration(totals.duration_s)),
                Total("Distance", distance(totals.distance_m)),
                Total("Energy", energy),
            ],
            report_url=report_url,
        )


@handles(SendReportReadyEmail)
async def send_report_ready_email(job: SendReportReadyEmail, run: Run, sender: EmailSender) -> None:
    """Tell a user by email, once, that the report for a month is ready.

    Users who have opted out or have not confirmed their address get no email.

    Raises:
        The same exceptions as `deliver`.
    """
    user_id, month = job.user_id, job.month
    async with run.transaction() as tx:
        user = await statements.report_recipient(tx, user_id=user_id, month=month)
    if user is None:
        await run.finish_with_note(
            "there is no report for the complete month, or the user opted out,"
            " deleted their account, or has not confirmed their address"
        )
        return

    async def write(tx: Transaction) -> ReportReady:
        days = await daily_totals.read(tx, user_id, month, last_day(month))
        url = f"{sender.config.app_url}/reports/{slug(month)}/download"
        return ReportReady.from_days(one_line(user.name), days, url)

    recipient = Recipient(user.id, user.name, user.email)
    await deliver(run, sender, recipient, ReportReady, write, unique_key=slug(month))


def _count(activities: int) -> str:
    return "1 activity" if activities == 1 else f"{activities:,} activities"
