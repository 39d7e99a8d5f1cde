"""A report: a user's month as a PDF in the bucket.

PDF subprocesses import this module, so it must not import the database.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.activity_types import ActivityType
from app.errors import NotFound
from app.stats.totals import DayTotals, PeriodTotals

PREFIX = "reports/"


class Report(Struct, frozen=True):
    """A report that can be downloaded."""

    month: date
    """The first day of the month."""
    size_bytes: int
    created_at: datetime


def folder(user_id: UUID, month: date) -> str:
    """Return the key prefix of all objects for a user's month."""
    return f"{PREFIX}{user_id}/{slug(month)}"


def key(user_id: UUID, month: date, object_id: UUID | None) -> str:
    """Return the key of a report's object in the bucket.

    Args:
        object_id: the id that the attempt chose; None for reports from before migration 0012,
            when all attempts shared a key.
    """
    name = "" if object_id is None else f"/{object_id}"
    return f"{folder(user_id, month)}{name}.pdf"


def filename(month: date) -> str:
    """Return the name under which a browser saves the file."""
    return f"activelog-{slug(month)}.pdf"


def slug(month: date) -> str:
    """Return a month as it appears in URLs: `2026-11`."""
    return f"{month:%Y-%m}"


def parse_month(text: str) -> date:
    """Parse the month in a URL.

    Raises:
        NotFound: the text is not a month.
    """
    if re.fullmatch(r"\d{4}-\d\d", text, re.ASCII):
        try:
            return date.fromisoformat(f"{text}-01")
        except ValueError:
            pass
    raise no_such_report()


def parse_key(key: str) -> tuple[UUID, date] | None:
    """Parse the user and the month from an object's key; None if the key is not a report's."""
    try:
        _, user_id, month = key.split("/", 2)
        return UUID(user_id), date.fromisoformat(f"{month[:7]}-01")
    except ValueError:
        return None


def is_over(month: date, now: datetime) -> bool:
    """Tell whether the month has ended, in UTC, at `now`."""
    return now.astimezone(UTC).date() > last_day(month)


def last_day(month: date) -> date:
    """Return the last day of a month."""
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def no_such_report() -> NotFound:
    return NotFound("There is no report for this month.")


DOCUMENT = "app.reports.pdf"
"""The module that draws a report's PDF, for `Renderer.rendering`."""


class TypeTotals(PeriodTotals, frozen=True):
    """The totals for one activity type."""

    type: ActivityType


class Header(Struct, frozen=True):
    """The user, the month and its totals. A report's rows are only listed, not added up."""

    name: str
    month: date
    before: PeriodTotals
    """The previous month's totals."""
    days: list[DayTotals]
    types: list[TypeTotals]
    created_at: datetime


def check_month(month: date) -> None:
    """Check that a month is given as its first day.

    Raises:
        ValueError: the date is not the first day of a month.
    """
    if month.day != 1:
        raise ValueError(
            f"a month must be given as its first day, {month.replace(day=1)}, not {month}"
        )
