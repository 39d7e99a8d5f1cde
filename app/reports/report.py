"""A report: a person's month as a PDF in the bucket."""

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
    """A report that is made."""

    month: date
    """Its first day."""
    size_bytes: int
    created_at: datetime


def folder(user_id: UUID, month: date) -> str:
    """What the keys of all objects of a person's month begin with."""
    return f"{PREFIX}{user_id}/{slug(month)}"


def key(user_id: UUID, month: date, object_id: UUID | None) -> str:
    """Where one of them is in the bucket.

    Args:
        object_id: the attempt's own; None before migration 0012, when all attempts shared one key.
    """
    name = "" if object_id is None else f"/{object_id}"
    return f"{folder(user_id, month)}{name}.pdf"


def filename(month: date) -> str:
    return f"activelog-{slug(month)}.pdf"


def slug(month: date) -> str:
    """A month as it stands in addresses: `2026-11`."""
    return f"{month:%Y-%m}"


def month_of(text: str) -> date:
    """The month that an address names.

    Raises:
        NotFound: there is no such month.
    """
    if re.fullmatch(r"\d{4}-\d\d", text, re.ASCII):
        try:
            return date.fromisoformat(f"{text}-01")
        except ValueError:
            pass
    raise no_such_report()


def named_by(key: str) -> tuple[UUID, date] | None:
    """Whose report of which month an object is; None: no report has such a key."""
    try:
        _, user_id, month = key.split("/", 2)
        return UUID(user_id), date.fromisoformat(f"{month[:7]}-01")
    except ValueError:
        return None


def is_over(month: date, now: datetime) -> bool:
    """Whether a month had ended, in UTC, at this moment."""
    return now.astimezone(UTC).date() > last_day(month)


def last_day(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def no_such_report() -> NotFound:
    return NotFound("There is no report for this month.")


DOCUMENT = "app.reports.pdf"
"""The module that draws it, for `Renderer.drawing`."""


class TypeFigures(PeriodTotals, frozen=True):
    """What a person did of one type."""

    type: ActivityType


class Header(Struct, frozen=True):
    """Whose month, and what it adds up to. The rows are only listed."""

    name: str
    month: date
    before: PeriodTotals
    """Of the month before."""
    days: list[DayTotals]
    types: list[TypeFigures]
    created_at: datetime


def check_month(month: date) -> None:
    """
    Raises:
        ValueError: it is not the first day of a month, which names the month.
    """
    if month.day != 1:
        raise ValueError(f"a month must be its first day, {month.replace(day=1)}, not {month}")
