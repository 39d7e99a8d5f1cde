"""The jobs that schedules cause here."""

from __future__ import annotations

from datetime import date, timedelta

from app.jobs import Job


class DailyStatistics(Job, frozen=True):
    """Compute everybody's statistics of a day, and of earlier days that have changed."""

    kind = "stats:daily"
    timeout = timedelta(hours=1)

    day: date
    dry_run: bool = False


class StaleStatistics(Job, frozen=True):
    """Compute the statistics of days whose activities have changed."""

    kind = "stats:recount"
    timeout = timedelta(hours=1)

    day: date
    dry_run: bool = False


class WeeklyEmails(Job, frozen=True):
    """Send the weekly summary to everybody who wants it.

    `day` is the Saturday on which the week ends.
    """

    kind = "emails:weekly"
    timeout = timedelta(hours=1)

    day: date
    dry_run: bool = False
