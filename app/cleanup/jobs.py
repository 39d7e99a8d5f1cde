"""The job of the nightly cleanup."""

from __future__ import annotations

from datetime import date, timedelta

from app.jobs import Job


class Cleanup(Job, frozen=True):
    """Remove what is past its retention."""

    kind = "cleanup:daily"
    timeout = timedelta(hours=1)

    day: date
    dry_run: bool = False
