"""A report: a person's month as a PDF in the bucket."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from msgspec import Struct

from app.errors import NotFound
from app.users.user import UserId


class Report(Struct, frozen=True):
    """A report that is made."""

    month: date
    """Its first day."""
    size_bytes: int
    created_at: datetime


def key(user_id: UserId, month: date) -> str:
    """Where it is in the bucket."""
    return f"reports/{user_id}/{slug(month)}.pdf"


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


def last_day(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def no_such_report() -> NotFound:
    return NotFound("There is no report of this month.")
