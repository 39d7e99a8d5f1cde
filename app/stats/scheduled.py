"""The jobs that schedules cause here."""

from __future__ import annotations

from datetime import date, timedelta

from app.jobs import Job


class DailyStatistics(Job, frozen=True):
    """Counts a day for everyone, and recounts what has changed of earlier days."""

    kind = "stats:daily"
    timeout = timedelta(hours=1)

    day: date
    dry_run: bool = False


class StaleStatistics(Job, frozen=True):
    """Recounts the days of which activities have changed."""

    kind = "stats:recount"
    timeout = timedelta(hours=1)

    day: date
    dry_run: bool = False


class WeeklyEmails(Job, frozen=True):
    """One summary of the week that ends on `day`, a Saturday, for each who is to have it."""

    kind = "emails:weekly"
    timeout = timedelta(hours=1)

    day: date
    dry_run: bool = False
