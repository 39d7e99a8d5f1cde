"""The weekly summary, which compares seven days with the previous seven, and its fan-out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Self
from uuid import UUID

import msgspec

from app.email import Email, EmailSender, Recipient, deliver, one_line
from app.email.formatting import distance, duration
from app.jobs import Job, Run, handles
from app.jobs.schedules import ScheduledJob, scheduled
from app.jobs.schedules.fan_out import FanOutBatch, Throttle, fan_out, finish_dry_run
from app.postgres.database import Database, Transaction
from app.postgres.statements import Queryable
from app.stats import daily_totals, statements
from app.stats.totals import DayTotals, total
from app.users.user import UserId

SATURDAY = 5
SUNDAY = 6


class SendWeeklySummaryEmail(Job, frozen=True):
    """Send a user the summary of the week that ends on this Saturday."""

    kind = "email:weekly_summary"
    expires_in = timedelta(days=6)

    user_id: UserId
    saturday: date

    def __post_init__(self) -> None:
        if self.saturday.weekday() != SATURDAY:
            raise ValueError(f"the last day of a week must be a Saturday, not {self.saturday}")

    @property
    def unique_key(self) -> str:
        return f"{self.user_id} {self.saturday}"


@scheduled(weekday=SUNDAY, hour=9, grace=timedelta(hours=12), supports_dry_run=True)
class WeeklyEmails(ScheduledJob, frozen=True):
    """Send the weekly summary to every user who should get it.

    `day` is the Saturday on which the week ends.
    """

    kind = "emails:weekly"
    timeout = timedelta(hours=1)


DAY_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
MAX_BAR_CHARACTERS = 20
"""The length of the longest bar in the text version."""


class TotalLine(msgspec.Struct, frozen=True):
    """A total for the week, and how it compares with the week before."""

    label: str
    value: str
    change: str


class DayBar(msgspec.Struct, frozen=True):
    """A day in the chart. The bar shows time, because every activity has a duration."""

    name: str
    share: int
    """The length as a percentage of the longest bar; 0 if there was no activity."""
    bar: str
    time: str
    distance: str


class WeeklySummary(Email, frozen=True):
    """The totals for a week, and a bar for each day."""

    template = "weekly_summary"
    subscription = "weekly_summary"

    name: str
    period: str
    active_days: int
    headline: str
    before: str
    """The week before in a few words; empty if it had no activities."""
    totals: Sequence[TotalLine]
    days: Sequence[DayBar]

    @classmethod
    def sample(cls) -> Self:
        first = date(2026, 11, 8)
        seconds = (3120, 0, 4290, 1500, 0, 6020, 2280, 0, 2700, 5400, 0, 1980, 9840, 4140)
        metres = (9100, 0, 12200, 1400, 0, 32500, 6300, 0, 8100, 15800, 0, 1900, 61400, 7300)
        days = [
            DayTotals(first + timedelta(days=n), int(s > 0), float(m), s, s // 6)
            for n, (s, m) in enumerate(zip(seconds, metres, strict=True))
        ]
        return cls.from_days("Ada Lovelace", days)

    @classmethod
    def from_days(cls, name: str, days: Sequence[DayTotals]) -> Self:
        """Summarize a week.

        Args:
            days: fourteen days: the week before, and the week to summarize.
        """
        before, week = days[:7], days[7:]
        longest = max(day.duration_s for day in week)
        return cls(
            name=name,
            period=_period(week[0].day, week[-1].day),
            active_days=sum(day.activities > 0 for day in week),
            headline=_headline(week) or "a quiet one",
            before=_headline(before),
            totals=_totals(before, week),
            days=[_bar(day, longest) for day in week],
        )


@handles(SendWeeklySummaryEmail)
async def send_weekly_summary_email(
    job: SendWeeklySummaryEmail, run: Run, sender: EmailSender
) -> None:
    """Send the summary of the seven days that end on this Saturday (UTC), once.

    Users get no summary before the week is over, nor if they have opted out, have not confirmed
    their address, or were not active in the 28 days up to that Saturday.

    Raises:
        The same exceptions as `deliver`.
    """
    user_id, saturday = job.user_id, job.saturday
    async with run.transaction() as tx:
        user = await statements.summary_recipient(tx, user_id=user_id, saturday=saturday)
    if user is None:
        await run.finish_with_note(
            "the week is not over, or the user opted out, deleted their account, has not confirmed"
            " their address, or was not active for 28 days"
        )
        return

    async def write(tx: Transaction) -> WeeklySummary:
        days = await daily_totals.read(tx, user_id, saturday - timedelta(days=13), saturday)
        return WeeklySummary.from_days(one_line(user.name), days)

    recipient = Recipient(user.id, user.name, user.email)
    await deliver(run, sender, recipient, WeeklySummary, write, unique_key=unique_key(saturday))


def unique_key(saturday: date) -> str:
    """Return the unique key of a week's summary: a user gets one summary per week."""
    return saturday.isoformat()


def _totals(before: Sequence[DayTotals], week: Sequence[DayTotals]) -> list[TotalLine]:
    then, now = total(before), total(week)
    return [
        TotalLine("Activities", str(now.activities), _change(then.activities, now.activities)),
        TotalLine(
            "Time",
            duration(now.duration_s) if now.duration_s else "0 min",
            _change(then.duration_s, now.duration_s),
        ),
        TotalLine("Distance", distance(now.distance_m), _change(then.distance_m, now.distance_m)),
        TotalLine("Energy", f"{now.calories:,} kcal", _change(then.calories, now.calories)),
    ]


def _change(before: float, now: float) -> str:
    if before == 0:
        return "none the week before" if now else "same as the week before"
    percent = round((now - before) / before * 100)
    if percent == 0:
        return "same as the week before"
    return f"{'up' if percent > 0 else 'down'} {abs(percent):,}%"


def _bar(day: DayTotals, longest: int) -> DayBar:
    """Return the bar for a day. The shortest activity still gets a visible sliver."""
    share = max(2, round(day.duration_s / longest * 100)) if day.duration_s else 0
    return DayBar(
        name=DAY_NAMES[day.day.isoweekday() % 7],
        share=share,
        bar="█" * max(1, round(share / 100 * MAX_BAR_CHARACTERS)) if share else "",
        time=duration(day.duration_s) if day.duration_s else "",
        distance=distance(day.distance_m) if day.distance_m else "",
    )


def _headline(week: Sequence[DayTotals]) -> str:
    totals = total(week)
    if not totals.activities:
        return ""
    count = "1 activity" if totals.activities == 1 else f"{totals.activities} activities"
    return f"{count}, {duration(totals.duration_s)}"


def _period(first: date, last: date) -> str:
    """Format a week: `15 to 21 November`, `29 November to 5 December`."""
    month = "" if first.month == last.month else f" {first:%B}"
    return f"{first.day}{month} to {last.day} {last:%B}"


THROTTLE = Throttle()


async def fan_out_emails(run: Run, saturday: date, *, throttle: Throttle = THROTTLE) -> None:
    """Enqueue a week's summary for all users who should get it.

    These users have a confirmed address that is not suppressed, have not opted out, and were
    active in the four weeks that end on that Saturday.

    Raises:
        Snooze: too many jobs are waiting; the fan-out continues later from its position.
        LeaseLost: this attempt has lost its job.
    """
    kind, queue = SendWeeklySummaryEmail.kind, SendWeeklySummaryEmail.queue
    expires_in = SendWeeklySummaryEmail.expires_in

    async def enqueue(tx: Transaction, after: UUID | None, limit: int) -> FanOutBatch:
        return await statements.enqueue_weekly_emails(
            tx,
            kind=kind,
            queue=queue,
            expires_in=expires_in,
            saturday=saturday,
            after=after,
            limit=limit,
        )

    await fan_out(run, SendWeeklySummaryEmail, enqueue, throttle)


async def dry_run(run: Run, db: Queryable, saturday: date) -> None:
    """Count who would get the summary and, by reason, who would not, without enqueuing anything.

    Raises:
        LeaseLost: this attempt has lost its job.
    """
    counted = await statements.count_weekly_emails(
        db, template=WeeklySummary.template, unique_key=unique_key(saturday), saturday=saturday
    )
    await finish_dry_run(run, SendWeeklySummaryEmail, counted)


@handles(WeeklyEmails)
async def enqueue_weekly_emails(job: WeeklyEmails, run: Run, database: Database) -> None:
    if job.dry_run:
        await dry_run(run, database, job.day)
    else:
        await fan_out_emails(run, job.day)
